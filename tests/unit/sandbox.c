/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/sandbox.h"

#include "tests/unit/test.h"

/*
 * The unit tests run under AddressSanitizer, where sandbox_close() does nothing, so this file
 * brings its own copy of the module without that switch and looks at what becomes of a child.
 */
#undef __SANITIZE_ADDRESS__
#define sandbox_close sandbox_close_really
void sandbox_close_really(enum program prog);
#include "smtpd/lib/sandbox.c"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum what { NOTHING, LISTED, UNLISTED, OPEN, X32, DUMPABLE };

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

int main(void)
{
	for (int p = 0; p < PROG_MAX; p++) {
		CHECK_EQ(child((enum program)p, NOTHING), 5);
		CHECK_EQ(child((enum program)p, LISTED), 5);
		CHECK_EQ(child((enum program)p, UNLISTED), -SIGSYS);
		CHECK_EQ(child((enum program)p, X32), -SIGSYS);
		CHECK_EQ(child((enum program)p, DUMPABLE), -SIGSYS);
	}
	CHECK_EQ(child(PROG_FRONT, OPEN), -SIGSYS);
	CHECK_EQ(child(PROG_HOLDER, OPEN),
		 8); /* openat is in its list, paths are its chroot's */
	CHECK(root_is_empty(PROG_FRONT));
	CHECK(!root_is_empty(PROG_QUEUE));
	test_landlock();
	TEST_END();
}
