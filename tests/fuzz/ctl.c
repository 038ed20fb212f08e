/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/supervise.h"
#include "init/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Any process says anything to init: the first octet chooses who, the rest are messages of
 * the size that the next octet says. init goes on, and only what ctl.h allows has changed. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct supervise s;
	enum proc_id who;
	int fd[2];

	if (n < 1 || !wire_pair(fd))
		return 0;
	for (int i = 0; i < P_MAX; i++)
		s.child[i] = (struct child){ .state = CHILD_RUNS, .pid = -1, .control = -1 };
	who = (enum proc_id)(*p++ % P_MAX);
	n--;
	s.child[who].control = fd[0];
	while (n) {
		size_t size = *p++ % 64;

		n--;
		size = size < n ? size : n;
		if (send(fd[1], p, size, MSG_DONTWAIT) < 0)
			break;
		p += size;
		n -= size;
		s.healthy = 0;
		supervise_control(&s, who);
		if (s.healthy && who != P_HEALTH)
			abort();
		if (s.child[who].control < 0)
			break;
	}
	close(fd[1]);
	if (s.child[who].control >= 0)
		close(s.child[who].control);
	for (int i = 0; i < P_MAX; i++)
		if (s.child[i].state != CHILD_RUNS || s.child[i].pid != -1 ||
		    (i != (int)who && s.child[i].ready))
			abort();
	return 0;
}
