/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/queue.h"

int main(void)
{
	static struct proc proc; /* this and the next: the process's context */
	static struct queue queue;

	proc_start(&proc, PROG_QUEUE, QUEUE_WATCHES);
	queue_init(&queue, &proc, proc.flags & CTL_HAVE_DATA ? "." : NULL);
	proc_serve(&proc, queue_rules, QUEUE_TYPES, &queue);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
