/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/log.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct logline l;

static void test_values(void)
{
	log_begin(&l, "x");
	log_bytes(&l, "a", SLICE("plain"));
	log_bytes(&l, "b", SLICE("two words"));
	log_bytes(&l, "c", SLICE("\033[2J\r\n\"\x80"));
	log_bytes(&l, "d", SLICE(""));
	log_num(&l, "e", INT64_MIN);
	log_num(&l, "f", 0);
	CHECK_SLICE(buf_slice(&l.b),
		    "ev=x a=plain b=\"two words\" c=\"?1B[2J?0D?0A?22?80\" d=\"\" "
		    "e=-9223372036854775808 f=0");
}

static void test_cut(void)
{
	static uint8_t big[LOG_LINE];

	memset(big, 'y', sizeof big);
	log_begin(&l, "x");
	log_bytes(&l, "big", (struct slice){ big, sizeof big });
	log_bytes(&l, "after", SLICE("1"));
	CHECK_SLICE(buf_slice(&l.b), "ev=x after=1");
}

static void test_bug(void)
{
	int fd[2], status;
	uint8_t got[100];
	ssize_t n;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
	pid = fork();
	if (!pid) {
		dup2(fd[1], 2);
		bug("this");
	}
	n = read(fd[0], got, sizeof got);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 70);
	CHECK(n > 0);
	CHECK_SLICE(((struct slice){ got, (size_t)n }), "ev=bug what=this");
}

int main(void)
{
	test_values();
	test_cut();
	test_bug();
	TEST_END();
}
