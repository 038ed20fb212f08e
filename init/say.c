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

#include "init/mounts.h"

enum { LINE = 512, PATIENCE_MS = 200, TAP = 1000 /* a number that nothing else gets */ };

#define OWN "/proc/self/fd/2"

static void open_as(int to, const char *path)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_APPEND);

	if (fd < 0)
		return;
	dup3(fd, to, O_CLOEXEC);
	if (fd != to)
		close(fd);
}

/* Of several consoles the kernel lists the one that /dev/console is last. */
static bool screen_path(char out[32])
{
	char names[64];

	mounts_read("/sys/class/tty/console/active", names, sizeof names);
	snprintf(out, 32, "/dev/%.*s", (int)strcspn(names, " "), names);
	return strchr(names, ' ');
}

void say_open(bool machine)
{
	char screen[32];

	if (machine && screen_path(screen))
		open_as(STDOUT_FILENO, screen);
	/* A description of our own: O_NONBLOCK on the inherited one would bind others too. */
	open_as(STDERR_FILENO, machine ? CONFIG_INIT_CONSOLE : OWN);
}

void say_also(int tap)
{
	dup3(tap, TAP, O_CLOEXEC);
}

int say_console(void)
{
	int fd = open(OWN, O_WRONLY | O_NOCTTY | O_APPEND | O_CLOEXEC);

	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

int say_screen(void)
{
	return open("/proc/self/fd/1", O_WRONLY | O_NOCTTY | O_APPEND | O_CLOEXEC);
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

static void put(int fd, const char *p, size_t n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	while (n) {
		ssize_t w = write(fd, p, n);

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
	/* For the remote log; it is not printed again. What finds no room is lost. */
	(void)!write(TAP, text, at);
	text[at++] = '\n';
	put(STDERR_FILENO, text, at);
	put(STDOUT_FILENO, text, at);
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
