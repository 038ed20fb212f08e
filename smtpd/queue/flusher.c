/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/flusher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

static void *flusher_thread(void *arg)
{
	struct flusher *f = arg;
	uint64_t n = 1;

	/* First of all: the thread is up, with the system calls that takes behind it. */
	if (write(f->back, &n, sizeof n) != sizeof n)
		bug("flusher: cannot answer");
	for (;;) {
		if (read(f->go, &n, sizeof n) != sizeof n)
			continue;
		atomic_thread_fence(memory_order_acquire);
		job_run(f->disk, f->job);
		atomic_thread_fence(memory_order_release);
		n = 1;
		if (write(f->back, &n, sizeof n) != sizeof n)
			bug("flusher: cannot answer");
	}
	return NULL;
}

static void on_back(struct watch *w, short got)
{
	struct flusher *f = (struct flusher *)w; /* first member */
	uint64_t n;

	(void)got;
	if (read(f->back, &n, sizeof n) != sizeof n)
		return;
	atomic_thread_fence(memory_order_acquire);
	f->busy = false;
	f->done(f);
}

void flusher_start(struct flusher *f, struct loop *l, struct disk *d, struct job *job,
		   void (*done)(struct flusher *f))
{
	pthread_t t;
	uint64_t n;

	*f = (struct flusher){ .disk = d, .job = job, .done = done };
	f->go = eventfd(0, EFD_CLOEXEC);
	f->back = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->go < 0 || f->back < 0 || pthread_create(&t, NULL, flusher_thread, f))
		bug("flusher: no thread");
	if (poll(&(struct pollfd){ .fd = f->back, .events = POLLIN }, 1, -1) != 1 ||
	    read(f->back, &n, sizeof n) != sizeof n)
		bug("flusher: no thread");
	f->watch = (struct watch){
		.fd = f->back, .want = POLLIN, .due = LOOP_NEVER, .ready = on_back
	};
	loop_add(l, &f->watch);
}

void flusher_run(struct flusher *f)
{
	uint64_t n = 1;

	f->busy = true;
	atomic_thread_fence(memory_order_release);
	if (write(f->go, &n, sizeof n) != sizeof n)
		bug("flusher: cannot be told");
}
