/* SPDX-License-Identifier: ISC */
#include "init/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/ctl.h"
#include "init/say.h"

enum { BINARY_FD = CTL_FD + 1, CAP_MAX = 63, NOT_STARTED = 126, LOWEST = 19 };

static uint64_t caps_of(const struct spawn_place *place, enum proc_id id)
{
	unsigned flags = proc_rows[id].flags;
	uint64_t caps = 0;

	if (flags & FLAG_CAP_NET_ADMIN)
		caps |= UINT64_C(1) << CAP_NET_ADMIN;
	if (flags & FLAG_CAP_SYS_TIME && place->machine) /* a container's clock is its host's */
		caps |= UINT64_C(1) << CAP_SYS_TIME;
	return caps;
}

static const char *root_of(const struct spawn_place *place, enum proc_id id)
{
	if (proc_rows[id].root == ROOT_KEYS && place->flags & CTL_HAVE_KEYS)
		return "/keys";
	if (proc_rows[id].root == ROOT_DATA && place->flags & CTL_HAVE_DATA)
		return "/data";
	if (proc_rows[id].root == ROOT_SPOOL && place->flags & CTL_HAVE_DATA &&
	    access(SPOOL_FOLDER, F_OK) == 0)
		return SPOOL_FOLDER;
	return "/empty";
}

/* 0 and 1 = null, 2 = log, 3 = control, 4 = the binary, gone after exec. The sources may lie
 * in the way. */
static bool place_fds(int null, int log, int control, int binary)
{
	int from[] = { null, null, log, control, binary };

	for (int i = 0; i <= BINARY_FD; i++) {
		from[i] = fcntl(from[i], F_DUPFD, BINARY_FD + 1);
		if (from[i] < 0)
			return false;
	}
	for (int i = 0; i <= BINARY_FD; i++)
		if (dup3(from[i], i, i == BINARY_FD ? O_CLOEXEC : 0) != i)
			return false;
	return syscall(SYS_close_range, BINARY_FD + 1, ~0u, 0) == 0;
}

static bool limit(int what, uint64_t value)
{
	struct rlimit r = { value, value };

	return setrlimit(what, &r) == 0;
}

/* 19 is more than nice: only the time that nobody else wants. */
static bool set_priority(int nice)
{
	struct {
		int priority;
	} none = { 0 };

	if (nice == LOWEST && syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none) != 0)
		return false;
	return !nice || setpriority(PRIO_PROCESS, 0, nice) == 0;
}

static bool set_limits(enum proc_id id)
{
	const struct proc_row *row = &proc_rows[id];
	struct stat st;

	if (fstat(BINARY_FD, &st) != 0 || !set_priority(row->nice))
		return false;
	if (!SANITIZED &&
	    !limit(RLIMIT_AS, (uint64_t)st.st_size + ((uint64_t)row->memory << 20)))
		return false;
	return limit(RLIMIT_NOFILE, row->nofile) && limit(RLIMIT_CORE, 0);
}

static bool set_caps(uint64_t caps)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	for (int i = 0; i < 2; i++)
		d[i].effective = d[i].permitted = d[i].inheritable = (uint32_t)(caps >> 32 * i);
	return syscall(SYS_capset, &h, d) == 0;
}

/* What is left of the wanted ones: a container may have been given less. */
static uint64_t drop_bounding(uint64_t caps)
{
	for (int c = 0; c <= CAP_MAX; c++) {
		int have = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (have < 0)
			break; /* the kernel knows no more */
		if (!have)
			caps &= ~(UINT64_C(1) << c);
		else if (!(caps >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0)
			return 0;
	}
	return caps;
}

static bool drop_rights(unsigned uid, uint64_t caps)
{
	caps = drop_bounding(caps);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
	    setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 || !set_caps(caps))
		return false;
	for (int c = 0; c <= CAP_MAX; c++)
		if (caps >> c & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) != 0)
			return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static _Noreturn void become(const struct spawn_place *place, enum proc_id id, int log,
			     int control, int binary)
{
	char *argv[] = { (char *)(uintptr_t)proc_rows[id].name, NULL };
	char *envp[] = { NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	if (setsid() >= 0 && chroot(root_of(place, id)) == 0 && chdir("/") == 0 &&
	    place_fds(place->null, log, control, binary) && set_limits(id) &&
	    drop_rights(tables_uid(id), caps_of(place, id)))
		syscall(SYS_execveat, BINARY_FD, "", argv, envp, AT_EMPTY_PATH);
	_exit(NOT_STARTED);
}

pid_t spawn_start(const struct spawn_place *place, enum proc_id id, int log, int control)
{
	const char *path = program_paths[proc_rows[id].program];
	int binary = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid = -1;

	if (binary < 0) {
		say_errno("ev=spawn proc=%s path=%s", proc_rows[id].name, path);
		return -1;
	}
	pid = fork();
	if (!pid)
		become(place, id, log, control, binary);
	if (pid < 0)
		say_errno("ev=spawn proc=%s", proc_rows[id].name);
	close(binary);
	return pid;
}
