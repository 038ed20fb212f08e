/* SPDX-License-Identifier: ISC */
#include "init/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE = 512, PATIENCE_MS = 200 };

#define OWN "/proc/self/fd/2"

void say_open(bool machine)
{
	/* A description of our own: O_NONBLOCK on the inherited one would bind others too. */
	int fd = open(machine ? CONFIG_INIT_CONSOLE : OWN,
		      O_WRONLY | O_NOCTTY | O_NONBLOCK | O_APPEND);

	if (fd < 0)
		return;
	dup3(fd, STDERR_FILENO, O_CLOEXEC);
	if (fd != STDERR_FILENO)
		close(fd);
}

int say_console(void)
{
	int fd = open(OWN, O_WRONLY | O_NOCTTY | O_APPEND | O_CLOEXEC);

	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

int say_input(bool machine)
{
	struct termios t;
	int fd = machine ? open(CONFIG_INIT_CONSOLE, O_RDONLY | O_NOCTTY | O_CLOEXEC)
			 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	/* The kernel edits the line. No key may stop what the log prints, or end the input. */
	if (machine && fd >= 0 && tcgetattr(fd, &t) == 0) {
		t.c_iflag = (t.c_iflag | ICRNL) & ~(tcflag_t)(IXON | IXOFF | INLCR | IGNCR);
		t.c_lflag = (t.c_lflag | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL) &
			    ~(tcflag_t)(ISIG | IEXTEN);
		t.c_cc[VEOF] = t.c_cc[VEOL] = _POSIX_VDISABLE;
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

static void put(const char *p, size_t n)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	while (n) {
		ssize_t w = write(STDERR_FILENO, p, n);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno != EINTR &&
			   (errno != EAGAIN || poll(&pfd, 1, PATIENCE_MS) <= 0)) {
			return;
		}
	}
}

static void line(const char *reason, const char *format, va_list ap)
{
	char text[LINE] = "init: ";
	size_t at = strlen(text);
	int n = vsnprintf(text + at, sizeof text - at, format, ap);

	if (n < 0)
		return;
	at = at + (size_t)n < sizeof text - 1 ? at + (size_t)n : sizeof text - 2;
	if (reason && (n = snprintf(text + at, sizeof text - at, " reason=\"%s\"", reason)) > 0)
		at = at + (size_t)n < sizeof text - 1 ? at + (size_t)n : sizeof text - 2;
	text[at++] = '\n';
	put(text, at);
}

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line(NULL, format, ap);
	va_end(ap);
}

void say_errno(const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list ap;

	va_start(ap, format);
	line(reason, format, ap);
	va_end(ap);
}
