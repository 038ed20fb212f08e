/* SPDX-License-Identifier: ISC */
#include "init/supervise.h"

#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/say.h"
#include "init/wire.h"

/*
 * NOTES
 * A start writes CTL_START and the new ends into the control channel before the fork, so a
 * process finds them all there; its peers get theirs at the same moment. A channel is wired
 * exactly when the later of its two processes starts: whatever order they die in, both living
 * ends belong to the same generation. init keeps no ends, but both ends of each log, so that no
 * line is lost while the log process is away.
 */

enum {
	FIRST_DELAY_MS = 100,
	LAST_DELAY_MS = 10 * 1000,
	LIVED_MS = 60 * 1000,
	ACCUSE_MS = 10 * 1000,
	LOG_STOP_MS = 500,
};

enum stage { STAGE_NONE, STAGE_FRONT, STAGE_REST, STAGE_LOG, STAGES };

int64_t supervise_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t supervise_backoff(unsigned failures)
{
	int64_t ms = FIRST_DELAY_MS;

	if (failures < 2)
		return 0;
	for (unsigned i = 2; i < failures && ms < LAST_DELAY_MS; i++)
		ms *= 2;
	return ms < LAST_DELAY_MS ? ms : LAST_DELAY_MS;
}

bool supervise_init(struct supervise *s, bool machine, unsigned flags)
{
	memset(s, 0, sizeof *s);
	s->place = (struct spawn_place){ .machine = machine,
					 .flags = flags | (machine ? 0 : CTL_CONTAINER),
					 .null = grants_null() };
	s->restart = INT64_MAX;
	grants_init(&s->grants, machine);
	if (getrandom(s->grant_key, sizeof s->grant_key, 0) != sizeof s->grant_key)
		return false;
	for (int i = 0; i < P_MAX; i++) {
		s->child[i].control = -1;
		if (!tables_built((enum proc_id)i)) {
			s->child[i].state = CHILD_DONE;
			s->child[i].ready = true;
		}
		if (!wire_pair(s->child[i].log) || !wire_unblock(s->child[i].log[1]))
			return false;
	}
	return s->place.null >= 0;
}

static void delay(struct supervise *s, enum proc_id id)
{
	struct child *c = &s->child[id];

	c->state = CHILD_WAITS;
	c->due = supervise_now() + supervise_backoff(++c->failures);
}

static bool send_start(struct supervise *s, enum proc_id id)
{
	struct ctl_start m = { .type = CTL_START, .proc = id, .flags = s->place.flags };
	static const char build_id[CTL_BUILD_ID] = BUILD_ID;
	int fd[CTL_FDS_MAX];
	bool keep[CTL_FDS_MAX], ok = true;

	memcpy(m.build_id, build_id, sizeof build_id);
	if (id == P_AUTH || id == P_CHECK_SUB)
		memcpy(m.grant_key, s->grant_key, sizeof s->grant_key);
	for (unsigned i = 0; i < grant_count; i++) {
		if (grant_rows[i].proc != id)
			continue;
		for (int t = 0; grant_rows[i].kind == GRANT_LOG_TAPS && t < P_MAX; t++) {
			keep[m.nfd] = true;
			fd[m.nfd++] = s->child[t].log[0];
		}
		if (grant_rows[i].kind == GRANT_LOG_TAPS)
			continue;
		fd[m.nfd] = grants_open(&s->grants, grant_rows[i].kind, &keep[m.nfd]);
		if (fd[m.nfd++] < 0)
			ok = false;
	}
	ok = ok && wire_send(s->child[id].control, &m, sizeof m, fd, m.nfd);
	for (unsigned i = 0; i < m.nfd; i++)
		if (!keep[i] && fd[i] >= 0)
			close(fd[i]);
	explicit_bzero(&m, sizeof m);
	return ok;
}

static void end(const struct child *c)
{
	if (c->state == CHILD_RUNS && c->pid > 0)
		kill(c->pid, SIGKILL);
}

/* A living process that does not take what init sends is as good as dead. */
static void tell(struct supervise *s, enum proc_id id, const void *msg, size_t size,
		 const int *fd, unsigned n)
{
	if (!wire_send(s->child[id].control, msg, size, fd, n))
		end(&s->child[id]);
}

static bool wire_all(struct supervise *s, enum proc_id id)
{
	for (uint32_t i = 0; i < CH_MAX; i++) {
		const struct chan_row *row = &chan_rows[i];
		enum proc_id peer = row->asks == id ? row->answers : row->asks;
		struct ctl_chan m = { .type = CTL_CHAN, .chan = i };
		int fd[2];
		bool ok;

		if ((row->asks != id && row->answers != id) ||
		    s->child[peer].state != CHILD_RUNS)
			continue;
		if (!wire_channel(row->credit, fd))
			return false;
		m.generation = ++s->generation[i];
		ok = wire_send(s->child[id].control, &m, sizeof m, &fd[0], 1);
		if (ok)
			tell(s, peer, &m, sizeof m, &fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		if (!ok)
			return false;
	}
	return true;
}

static void start(struct supervise *s, enum proc_id id)
{
	struct child *c = &s->child[id];
	int fd[2] = { -1, -1 };
	bool ok = wire_pair(fd);

	c->control = fd[0];
	c->pid = -1;
	c->started = supervise_now();
	c->accused = 0;
	if (ok && send_start(s, id) && wire_all(s, id))
		c->pid = spawn_start(&s->place, id, c->log[1], fd[1]);
	else
		say_errno("ev=wire proc=%s", proc_rows[id].name);
	if (fd[1] >= 0)
		close(fd[1]);
	if (c->pid > 0) {
		c->state = CHILD_RUNS;
		return;
	}
	if (c->control >= 0)
		close(c->control);
	c->control = -1;
	if (!c->failures)
		c->failures = 1; /* nothing to restart at once */
	delay(s, id);
}

void supervise_start_due(struct supervise *s)
{
	int64_t now = supervise_now();

	for (int i = 0; i < P_MAX && !s->stage; i++)
		if (s->child[i].state == CHILD_WAITS && s->child[i].due <= now)
			start(s, (enum proc_id)i);
}

int64_t supervise_next(const struct supervise *s)
{
	int64_t next = s->stage ? s->stage_due : s->restart;

	for (int i = 0; i < P_MAX && !s->stage; i++)
		if (s->child[i].state == CHILD_WAITS && s->child[i].due < next)
			next = s->child[i].due;
	return next;
}

static void announce(struct supervise *s)
{
	struct timespec ts;

	for (int i = 0; i < P_MAX; i++)
		if (!s->child[i].ready)
			return;
	if (s->announced)
		return;
	s->announced = true;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	say("ready t=%lld.%03ld", (long long)ts.tv_sec, ts.tv_nsec / 1000000);
}

/* One that accuses again and again may be the one that lies: from the second time on it pays
 * itself. */
static void accuse(struct supervise *s, enum proc_id by, uint32_t chan)
{
	struct child *c = &s->child[by];
	const struct chan_row *row = chan < CH_MAX ? &chan_rows[chan] : NULL;
	int64_t now = supervise_now();
	enum proc_id peer;

	if (!row || (row->asks != by && row->answers != by)) {
		end(c);
		return;
	}
	peer = row->asks == by ? row->answers : row->asks;
	say("ev=accused proc=%s by=%s", proc_rows[peer].name, proc_rows[by].name);
	end(&s->child[peer]);
	if (c->accused && now - c->accused < ACCUSE_MS)
		end(c);
	c->accused = now;
}

void supervise_control(struct supervise *s, enum proc_id id)
{
	struct child *c = &s->child[id];
	struct ctl_note m;
	struct iovec iov = { &m, sizeof m };
	/* No room for descriptors: the kernel closes what a process might send. */
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(c->control, &h, MSG_DONTWAIT);

	if (n == 0) { /* gone; reaped soon */
		close(c->control);
		c->control = -1;
		return;
	}
	if (n != sizeof m)
		return;
	if (m.type == CTL_READY) {
		c->ready = true;
		announce(s);
	} else if (m.type == CTL_WORKED) {
		c->failures = 0;
	} else if (m.type == CTL_HEALTHY && id == P_HEALTH) {
		s->healthy = supervise_now();
	} else if (m.type == CTL_REBOOT && id == P_UPDATE) {
		s->restart = 0;
	} else if (m.type == CTL_KEPT && id == P_UPDATE) {
		s->restart = INT64_MAX;
	} else if (m.type == CTL_ACCUSE) {
		accuse(s, id, m.chan);
	}
}

static void died(struct supervise *s, enum proc_id id, int status)
{
	struct child *c = &s->child[id];
	const char *name = proc_rows[id].name;
	bool done = proc_rows[id].flags & FLAG_ONCE && WIFEXITED(status) &&
		    !WEXITSTATUS(status);

	c->pid = -1;
	/* What it still said counts: a success before the end resets the back-off. */
	for (int i = 0; c->control >= 0 && i < 8; i++)
		supervise_control(s, id);
	if (c->control >= 0)
		close(c->control);
	c->control = -1;
	if (supervise_now() - c->started >= LIVED_MS)
		c->failures = 0;
	c->state = CHILD_DONE;
	if (done) {
		c->ready = true;
		announce(s);
	}
	if (done || s->stage)
		return;
	delay(s, id);
	if (WIFSIGNALED(status))
		say("ev=died proc=%s signal=%d restart_ms=%lld", name, WTERMSIG(status),
		    (long long)supervise_backoff(c->failures));
	else
		say("ev=died proc=%s status=%d restart_ms=%lld", name, WEXITSTATUS(status),
		    (long long)supervise_backoff(c->failures));
}

void supervise_reap(struct supervise *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < P_MAX; i++)
			if (s->child[i].state == CHILD_RUNS && s->child[i].pid == pid)
				died(s, (enum proc_id)i, status);
}

static unsigned stage_of(enum proc_id id)
{
	if (proc_rows[id].program == PROG_FRONT)
		return STAGE_FRONT;
	return id == P_LOG ? STAGE_LOG : STAGE_REST;
}

static bool stage_left(const struct supervise *s, unsigned stage)
{
	for (int i = 0; i < P_MAX; i++)
		if (s->child[i].state == CHILD_RUNS && stage_of((enum proc_id)i) <= stage)
			return true;
	return false;
}

static void next_stage(struct supervise *s)
{
	static const int64_t ms[STAGES] = {
		[STAGE_FRONT] = CONFIG_INIT_STOP_TIME * 1000 / 2,
		[STAGE_REST] = CONFIG_INIT_STOP_TIME * 1000 / 2,
		[STAGE_LOG] = LOG_STOP_MS,
	};
	struct ctl_note m = { .type = CTL_STOP };

	s->stage++;
	if (s->stage >= STAGES)
		return;
	s->stage_due = supervise_now() + ms[s->stage];
	for (int i = 0; i < P_MAX; i++)
		if (s->child[i].state == CHILD_RUNS && stage_of((enum proc_id)i) == s->stage)
			tell(s, (enum proc_id)i, &m, sizeof m, NULL, 0);
}

void supervise_stop(struct supervise *s)
{
	if (!s->stage)
		next_stage(s);
}

/* Nothing on disk depends on the rest of its life; one that hangs in the kernel is left
 * behind. */
static void finish(struct child *c, const char *name)
{
	const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

	say("ev=killed proc=%s", name);
	end(c);
	for (int i = 0; i < 50 && waitpid(c->pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&moment, NULL);
	c->state = CHILD_DONE;
}

bool supervise_stopped(struct supervise *s)
{
	while (s->stage && s->stage < STAGES) {
		if (stage_left(s, s->stage) && supervise_now() < s->stage_due)
			return false;
		for (int i = 0; i < P_MAX; i++)
			if (s->child[i].state == CHILD_RUNS &&
			    stage_of((enum proc_id)i) <= s->stage)
				finish(&s->child[i], proc_rows[i].name);
		next_stage(s);
	}
	return s->stage >= STAGES;
}
