/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/sandbox.h"

#include "tests/unit/test.h"

/*
 * The unit tests run under AddressSanitizer, where sandbox_close() does nothing, so this file
 * brings its own copy of the module without that switch and looks at what becomes of a child.
 */
#undef SANITIZED
#define SANITIZED     0
#define sandbox_close sandbox_close_really
#define syscall	      watched
void sandbox_close_really(enum program prog);
static long watched(long nr, ...);
#include "smtpd/lib/sandbox.c"
#undef syscall
long syscall(long nr, ...);

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum what { NOTHING, LISTED, UNLISTED, OPEN, X32, DUMPABLE, EXECVE, SOCKET, PTRACE, INT80 };

static struct { /* what the module hands to the kernel last of all, and what holds by then */
	bool only_look;
	struct sock_filter code[256];
	size_t n;
	int dumpable, no_new_privs, root;
} filter;

static long watched(long nr, ...)
{
	long a[4];
	const struct sock_fprog *f;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 3; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr != __NR_seccomp)
		return syscall(nr, a[0], a[1], a[2]);
	f = (const struct sock_fprog *)(intptr_t)a[2];
	memcpy(filter.code, f->filter, f->len * sizeof *f->filter);
	filter.n = f->len;
	if (filter.only_look)
		return 0;
	filter.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	filter.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	filter.root = open("/", O_RDONLY);
	return syscall(nr, a[0], a[1], a[2]);
}

/* What the kernel makes of the filter for one call. */
static uint32_t judge(uint32_t arch, uint32_t nr)
{
	uint32_t acc = 0;

	for (size_t i = 0; i < filter.n; i++) {
		const struct sock_filter *c = &filter.code[i];

		switch (c->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			acc = c->k == offsetof(struct seccomp_data, arch) ? arch : nr;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += acc == c->k ? c->jt : c->jf;
			break;
		case BPF_RET | BPF_K:
			return c->k;
		default:
			return ~0u;
		}
	}
	return ~0u;
}

static void act(enum what what)
{
	switch (what) {
	case NOTHING:
		break;
	case LISTED:
		syscall(__NR_getrandom, &what, 1, 0);
		break;
	case UNLISTED:
		syscall(__NR_getpid);
		break;
	case OPEN:
		syscall(__NR_exit_group,
			syscall(__NR_openat, AT_FDCWD, "/", O_RDONLY) < 0 ? 7 : 8);
		break;
	case X32:
		syscall(__NR_read | 0x40000000, -1, NULL, 0);
		break;
	case DUMPABLE:
		syscall(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
		break;
	case EXECVE:
		syscall(__NR_execve, "/bin/true", NULL, NULL);
		break;
	case SOCKET:
		syscall(__NR_socket, AF_INET, SOCK_STREAM, 0);
		break;
	case PTRACE:
		syscall(__NR_ptrace, 0, 0, 0, 0);
		break;
	case INT80: /* number 3 of the i386 table is read; of ours it is close, which is listed */
#ifdef __x86_64__
		__asm__ volatile("int $0x80" ::"a"(3L), "b"(-1L), "c"(0L), "d"(0L) : "memory");
#endif
		break;
	}
	syscall(__NR_exit_group, 5);
}

/* Exit status of a child that closes the sandbox and then does this; minus the signal if one
 * ended it. */
static int child(enum program prog, enum what what)
{
	pid_t pid = fork();
	int st = 0;

	if (!pid) {
		sandbox_close_really(prog);
		act(what);
	}
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

static void test_landlock(void)
{
	pid_t pid = fork();
	int st = 0;

	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		close_paths();
		act(OPEN);
	}
	waitpid(pid, &st, 0);
	if (syscall(__NR_landlock_create_ruleset, NULL, 0, 1) > 0)
		CHECK_EQ(WEXITSTATUS(st), 7);
}

/* Calls that no program, or only these, may make: a list of its own beside the rows. */
static const struct {
	long nr;
	unsigned may; /* bits 1 << PROG_x */
} guarded[] = {
#define BIT(x) (1u << PROG_##x)
	{ __NR_execve, 0 },
	{ __NR_execveat, 0 },
	{ __NR_clone, 0 },
	{ __NR_clone3, 0 },
	{ __NR_ptrace, 0 },
	{ __NR_process_vm_readv, 0 },
	{ __NR_process_vm_writev, 0 },
	{ __NR_kill, 0 },
	{ __NR_tgkill, 0 },
	{ __NR_prctl, 0 },
	{ __NR_seccomp, 0 },
	{ __NR_setuid, 0 },
	{ __NR_setresuid, 0 },
	{ __NR_capset, 0 },
	{ __NR_chroot, 0 },
	{ __NR_mount, 0 },
	{ __NR_umount2, 0 },
	{ __NR_unshare, 0 },
	{ __NR_setns, 0 },
	{ __NR_bpf, 0 },
	{ __NR_ioctl, 0 },
	{ __NR_reboot, 0 },
	{ __NR_dup3, 0 },
	{ __NR_listen, BIT(ACME) },
	{ __NR_pidfd_getfd, 0 },
	{ __NR_io_uring_setup, 0 },
	{ __NR_mremap, 0 },
	{ __NR_memfd_secret, 0 },
	{ __NR_userfaultfd, 0 },
	{ __NR_linkat, 0 },
	{ __NR_symlinkat, 0 },
	{ __NR_fchmodat, 0 },
	{ __NR_sethostname, 0 },
	{ __NR_openat, BIT(QUEUE) | BIT(HOLDER) | BIT(ACME) },
	{ __NR_renameat, BIT(QUEUE) | BIT(HOLDER) | BIT(ACME) },
	{ __NR_unlinkat, BIT(QUEUE) },
	{ __NR_getdents64, 0 },
	{ __NR_socket, BIT(OUT) | BIT(DNS) | BIT(CLOCK) | BIT(FETCH) | BIT(SELFCHECK) |
			       BIT(ACME) | BIT(HEALTH) },
	{ __NR_connect, BIT(OUT) | BIT(DNS) | BIT(CLOCK) | BIT(FETCH) | BIT(SELFCHECK) |
				BIT(ACME) | BIT(HEALTH) },
	{ __NR_bind, BIT(DNS) | BIT(NET) | BIT(HEALTH) },
	{ __NR_accept4, BIT(FRONT) | BIT(ACME) | BIT(UPDATE) },
	{ __NR_memfd_create, BIT(FRONT) | BIT(CHECK) | BIT(QUEUE) },
	{ __NR_mmap, BIT(AUTH) },
	{ __NR_mprotect, BIT(AUTH) },
	{ __NR_clock_settime, BIT(CLOCK) },
	{ __NR_read, ~0u },
	{ __NR_recvmsg, ~0u },
};

static void test_filter(enum program p)
{
	static const uint32_t foreign[] = { 0, AUDIT_ARCH_I386, AUDIT_ARCH_PPC64,
					    ARCH ^ __AUDIT_ARCH_64BIT, ARCH ^ __AUDIT_ARCH_LE };
	unsigned allowed = 0;

	filter.only_look = true;
	close_calls(p);
	filter.only_look = false;
	for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++) {
		uint32_t got = judge(ARCH, (uint32_t)guarded[i].nr);
		bool may = guarded[i].may >> p & 1;

		if (got != (may ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS))
			fprintf(stderr, "program %d, call %ld\n", (int)p, guarded[i].nr);
		CHECK_EQ(got, may ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS);
	}
	for (uint32_t nr = 0; nr < 1024; nr++) {
		uint32_t got = judge(ARCH, nr);

		allowed += got == SECCOMP_RET_ALLOW;
		if (got != SECCOMP_RET_ALLOW)
			CHECK_EQ(got, SECCOMP_RET_KILL_PROCESS);
		CHECK_EQ(judge(ARCH, nr | 0x40000000), SECCOMP_RET_KILL_PROCESS);
		for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++)
			CHECK_EQ(judge(foreign[k], nr), SECCOMP_RET_KILL_PROCESS);
	}
	CHECK_EQ(allowed, (lists[PROG_ALL].n + lists[p].n) / 2);
}

/* When the filter closes, the rest holds already; the kernel says so afterwards. */
static void test_closed(enum program p)
{
	pid_t pid = fork();
	int st = 0;

	if (!pid) {
		int fd = open("/proc/self/status", O_RDONLY);
		bool paths = !root_is_empty(p) ||
			     syscall(__NR_landlock_create_ruleset, NULL, 0, 1) < 1;
		static char text[8192];

		sandbox_close_really(p);
		syscall(__NR_read, fd, text, sizeof text - 1);
		syscall(__NR_exit_group, (filter.dumpable != 0) |
						 (filter.no_new_privs != 1) << 1 |
						 ((filter.root >= 0) != paths) << 2 |
						 !strstr(text, "\nNoNewPrivs:\t1\n") << 3 |
						 !strstr(text, "\nSeccomp:\t2\n") << 4);
	}
	waitpid(pid, &st, 0);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0);
}

int main(void)
{
	for (int p = 0; p < PROG_MAX; p++) {
		CHECK_EQ(child((enum program)p, NOTHING), 5);
		CHECK_EQ(child((enum program)p, LISTED), 5);
		CHECK_EQ(child((enum program)p, UNLISTED), -SIGSYS);
		CHECK_EQ(child((enum program)p, X32), -SIGSYS);
		CHECK_EQ(child((enum program)p, DUMPABLE), -SIGSYS);
		CHECK_EQ(child((enum program)p, EXECVE), -SIGSYS);
		CHECK_EQ(child((enum program)p, PTRACE), -SIGSYS);
		CHECK(child((enum program)p, INT80) !=
		      (ARCH == AUDIT_ARCH_X86_64 ? 5 : -SIGSYS));
		test_closed((enum program)p);
		test_filter((enum program)p);
	}
	CHECK_EQ(child(PROG_FRONT, SOCKET), -SIGSYS);
	CHECK_EQ(child(PROG_OUT, SOCKET), 5);
	CHECK_EQ(child(PROG_AUTH, OPEN), -SIGSYS);
	CHECK_EQ(child(PROG_FRONT, OPEN), -SIGSYS);
	CHECK_EQ(child(PROG_HOLDER, OPEN),
		 8); /* openat is in its list, paths are its chroot's */
	CHECK(root_is_empty(PROG_FRONT));
	CHECK(!root_is_empty(PROG_QUEUE));
	test_landlock();
	TEST_END();
}
