/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

#if defined(__x86_64__)
#	define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#	define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#	define ARCH AUDIT_ARCH_ARM
#endif

/* Two instructions a call. The kernel keeps a map of what is always allowed, so length costs
 * nothing. A number of the x32 table has bit 30 set and matches none of them. */
#define C(name)                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
#define CALLS(program, list) static const struct sock_filter calls_##program[] = { list };
#include "init/topology.def"

static const struct sock_filter head[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};

static const struct sock_filter last = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);

enum { PROG_ALL = PROG_MAX };

static const struct {
	const struct sock_filter *calls;
	size_t n;
} lists[PROG_MAX + 1] = {
#define CALLS(program, list) \
	[PROG_##program] = { calls_##program, sizeof calls_##program / sizeof last },
#include "init/topology.def"
};

static const struct {
	enum program program;
	bool empty;
} roots[] = {
#define ROOT_IS_EMPTY			true
#define ROOT_IS_KEYS			false
#define ROOT_IS_DATA			false
#define ROOT_IS_SPOOL			false
#define PROC(id, name, prog, root, ...) { PROG_##prog, ROOT_IS_##root },
#include "init/topology.def"
};

static bool root_is_empty(enum program prog)
{
	for (size_t i = 0; i < P_MAX; i++)
		if (roots[i].program == prog && !roots[i].empty)
			return false;
	return true;
}

/* No access by path at all. Kernels without Landlock leave it to chroot and the call list. */
static void close_paths(void)
{
	/* All rights that an ABI version knows: 13 in the first, then REFER, TRUNCATE and
	 * IOCTL_DEV. */
	static const uint8_t rights[] = { 0, 13, 14, 15, 15, 16 };
	struct {
		uint64_t fs;
	} attr;
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, 1);
	long fd;

	if (abi < 1)
		return;
	attr.fs = (UINT64_C(1) << rights[abi > 5 ? 5 : abi]) - 1;
	fd = syscall(__NR_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (fd < 0 || syscall(__NR_landlock_restrict_self, (int)fd, 0) != 0)
		bug("landlock");
	close((int)fd);
}

static size_t append(struct sock_filter *to, size_t at, const struct sock_filter *from,
		     size_t n)
{
	memcpy(to + at, from, n * sizeof *from);
	return at + n;
}

static void close_calls(enum program prog)
{
	struct sock_filter code[256];
	struct sock_fprog f = { .filter = code };
	size_t n = sizeof head / sizeof last;

	if (!lists[prog].n ||
	    n + lists[PROG_ALL].n + lists[prog].n + 1 > sizeof code / sizeof *code)
		bug("sandbox: list");
	memcpy(code, head, sizeof head);
	n = append(code, n, lists[PROG_ALL].calls, lists[PROG_ALL].n);
	n = append(code, n, lists[prog].calls, lists[prog].n);
	n = append(code, n, &last, 1);
	f.len = (unsigned short)n;
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &f) != 0)
		bug("sandbox: seccomp");
}

void sandbox_close(enum program prog)
{
	if (SANITIZED)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		bug("sandbox: prctl");
	if (root_is_empty(prog))
		close_paths();
	close_calls(prog);
}
