/* SPDX-License-Identifier: ISC */
/* acme's port 80: idle clients keep nobody out. */
#include "keys/acme/door.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct loop loop;
static struct door door;
static uint16_t port;

static int client(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t before = door.admitted;

	CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	while (door.admitted == before)
		loop_round(&loop);
	return fd;
}

/* What the server said until its end. */
static const char *heard(int fd)
{
	static char text[1024];
	size_t n = 0;
	ssize_t got = -1;

	while (got) {
		got = recv(fd, text + n, sizeof text - 1 - n, MSG_DONTWAIT);
		if (got < 0)
			loop_round(&loop);
		else
			n += (size_t)got;
	}
	text[n] = 0;
	return text;
}

static bool gone(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void crowd(void)
{
	static const char ask[] =
		"GET /.well-known/acme-challenge/tok HTTP/1.1\r\nHost: x\r\n\r\n";
	int idle[DOOR_CLIENTS], honest, late;

	CHECK(door_open_file(&door, "tok", "tok.print"));
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		idle[i] = client();
	CHECK(!gone(idle[0]));
	honest = client();
	CHECK(gone(idle[0]) && !gone(idle[1]) && !gone(idle[DOOR_CLIENTS - 1]));
	late = client();
	CHECK(gone(idle[1]) && !gone(idle[2]) && !gone(honest));
	CHECK(write(honest, ask, sizeof ask - 1) == sizeof ask - 1);
	CHECK(strstr(heard(honest), "\r\n\r\ntok.print") != NULL);
	close(honest);
	door_close(&door);
	CHECK(gone(late) && gone(idle[2]));
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		close(idle[i]);
	close(late);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	port = ntohs(a.sin_port);
	/* By number: a port that the kernel chose is lost when it no longer listens. */
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0);
	loop_init(&loop, DOOR_WATCHES + 4);
	door_init(&door, &loop, fd, false, NULL);
	crowd();
	crowd(); /* opened once more */
	TEST_END();
}
