/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "init/update/update.h"

#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

enum {
	MANIFEST_MS = 20 * 1000, /* from the connection to the manifest */
	CHUNK_MS = 60 * 1000,	 /* the longest silence after it */
	FAREWELL_MS = 5 * 1000,
	TURN = 16, /* chunks without a look at anything else */
	WORDS = 4096,
};

static void log_slot(const char *event, char slot)
{
	const char text[2] = { slot, 0 };
	struct logline line;

	log_begin(&line, event);
	log_text(&line, "slot", text);
	log_text(&line, "version", BUILD_VERSION);
	log_text(&line, "build", BUILD_ID);
	log_send(&line);
}

/* ---- what is said ---- */

static void hello(struct update_client *c)
{
	const struct slots *s = &c->u->slots;
	struct buf *out = &c->s.out;

	buf_put(out, SLICE("hello 1 "));
	buf_hex(out, (struct slice){ c->want.challenge, sizeof c->want.challenge });
	buf_put(out, SLICE(" " BUILD_VERSION " " BUILD_ID " "));
	buf_u8(out, (uint8_t)s->runs);
	buf_put(out, c->u->going ? SLICE(" next\n")
		     : s->trial	 ? SLICE(" trial\n")
				 : SLICE(" usual\n"));
}

/* Its last words. */
static void end(struct update_client *c, struct slice words)
{
	struct update *u = c->u;

	if (u->writer == c && !u->going)
		u->writer = NULL;
	c->over = true;
	buf_put(&c->s.out, words);
	stream_due(&c->s, FAREWELL_MS);
	stream_end(&c->s);
}

static void refuse(struct update_client *c, const char *why)
{
	uint8_t mem[128];
	struct buf b = BUF(mem);

	log_event("refused", "why", why);
	buf_put(&b, SLICE("no "));
	buf_put(&b, slice_of(why));
	buf_u8(&b, '\n');
	end(c, buf_slice(&b));
}

/* ---- an update ---- */

static void begin(struct update_client *c)
{
	struct update *u = c->u;
	struct logline line;
	const char *why;

	if (u->going || u->writer)
		why = "another update is under way";
	else
		why = receive_begin(&u->receive, &u->slots,
				    slice_head(buf_slice(&c->s.in), MANIFEST_SIZE), &c->want);
	if (why) {
		refuse(c, why);
		return;
	}
	log_begin(&line, "update");
	log_text(&line, "version", u->receive.m.version);
	log_text(&line, "build", u->receive.m.build);
	log_num(&line, "epoch", u->receive.m.epoch);
	log_num(&line, "size", u->receive.m.size);
	log_send(&line);
	u->writer = c;
	buf_eat(&c->s.in, MANIFEST_SIZE);
	buf_put(&c->s.out, SLICE("go\n"));
	u->work.due = 0;
}

static void finish(struct update_client *c)
{
	struct update *u = c->u;

	if (!slots_try(&u->slots)) {
		refuse(c, "the disk failed");
		return;
	}
	u->going = true;
	log_slot("written", slots_other(&u->slots));
	end(c, SLICE("done\n"));
}

/* A few chunks. */
static void on_work(struct watch *w, short got)
{
	struct update *u = OWNER(struct update, work, w);
	struct update_client *c = u->writer;
	enum receive_state st = RECEIVE_GOES;

	(void)got;
	w->due = LOOP_NEVER;
	if (!c || c->over)
		return;
	for (int i = 0; i < TURN && st == RECEIVE_GOES; i++)
		st = receive_step(&u->receive, &c->s.in);
	stream_due(&c->s, CHUNK_MS);
	if (st == RECEIVE_DONE)
		finish(c);
	else if (st == RECEIVE_REFUSED)
		refuse(c, u->receive.why);
	else if (st == RECEIVE_GOES)
		w->due = 0;
	stream_kick(&c->s);
}

/* ---- clients ---- */

static void gone(struct update_client *c)
{
	struct update *u = c->u;

	stream_close(&c->s);
	if (u->writer != c)
		return;
	u->writer = NULL;
	if (u->going)
		proc_note(CTL_REBOOT);
	else
		log_event("refused", "why", "the stream was cut");
}

static void on_event(struct stream *s, enum stream_event e)
{
	struct update_client *c = OWNER(struct update_client, s, s);

	if (e == STREAM_SECURE)
		hello(c);
	else if (e == STREAM_EOF || e == STREAM_BROKEN || e == STREAM_LATE)
		gone(c);
	else if (c->over)
		return;
	else if (c->u->writer == c)
		c->u->work.due = 0;
	else if (s->in.len >= MANIFEST_SIZE)
		begin(c);
}

/* Who has been here longest gives way, but for the one that writes. */
static struct update_client *place(struct update *u)
{
	struct update_client *oldest = NULL;

	for (struct update_client *c = u->client; c < u->client + UPDATE_CLIENTS; c++) {
		if (c->s.watch.fd < 0)
			return c;
		if (c != u->writer && (!oldest || c->number < oldest->number))
			oldest = c;
	}
	stream_close(&oldest->s);
	return oldest;
}

static void admit(struct update *u, int fd)
{
	static const struct manifest_want want = { .board = CONFIG_BOARD_NAME,
						   .epoch = CONFIG_UPDATE_EPOCH,
						   .key = { UPDATE_PUBKEY,
							    UPDATE_PUBKEY_NEXT } };
	struct update_client *c = place(u);

	c->number = u->admitted++;
	c->over = false;
	c->want = want;
	if (getrandom(c->want.challenge, sizeof c->want.challenge, 0) !=
	    sizeof c->want.challenge)
		bug("no randomness");
	stream_open(&c->s, &u->proc.loop, fd, BUF(c->in), BUF(c->out), on_event);
	stream_due(&c->s, MANIFEST_MS);
	tls_server(c->tls, tlsid_get(&u->tlsid));
	stream_tls(&c->s, c->tls);
}

static void on_listen(struct watch *w, short got)
{
	struct update *u = OWNER(struct update, listen, w);
	int fd = got ? accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

	if (fd >= 0 && u->usable)
		admit(u, fd);
	else if (fd >= 0)
		close(fd);
}

/* ---- the process ---- */

static void on_certificate(void *owner)
{
	struct update *u = owner;

	loop_drop(&u->proc.loop, &u->listen);
	loop_add(&u->proc.loop, &u->listen);
}

static void on_wired(struct chan *c)
{
	tlsid_wired(&((struct update *)(void *)c->owner)->tlsid);
}

/* When health says nothing good, or the disk takes nothing, init ends the trial. */
static void on_well(struct ask *a, const void *reply, struct slice tail)
{
	struct update *u = OWNER(struct update, well, a);

	(void)tail;
	if (!reply || !slots_keep(&u->slots))
		return;
	log_slot("kept", u->slots.runs);
	proc_note(CTL_KEPT);
}

static void on_health_wired(struct chan *c)
{
	static const struct want want = { HEALTH_WELL, sizeof(struct health_well), 0 };
	struct update *u = (struct update *)(void *)c->owner;
	struct health_well m = { 0 };

	u->well.done = on_well;
	if (u->slots.trial)
		chan_ask(c, &u->well, &m, sizeof m, SLICE(""), NULL, 0, &want,
			 CONFIG_UPDATE_TRIAL * 1000);
}

static bool find_slots(struct update *u)
{
	uint8_t words[WORDS];
	ssize_t n = read(u->proc.grant[GRANT_COMMAND_LINE], words, sizeof words);

	return n > 0 && slots_init(&u->slots, u->proc.grant[GRANT_SLOTS],
				   (struct slice){ words, (size_t)n });
}

void update_init(struct update *u)
{
	struct chan *holder = proc_chan(&u->proc, PROG_HOLDER);

	for (struct update_client *c = u->client; c < u->client + UPDATE_CLIENTS; c++) {
		c->u = u;
		c->s.watch.fd = -1;
		c->tls = arena_reserve(sizeof *c->tls);
	}
	u->listen = (struct watch){ .fd = u->proc.grant[GRANT_LISTEN_UPDATE],
				    .want = POLLIN,
				    .due = LOOP_NEVER,
				    .ready = on_listen };
	u->work = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_work };
	loop_add(&u->proc.loop, &u->work);
	tlsid_init(&u->tlsid, holder, on_certificate, u);
	holder->wired = on_wired;
	proc_chan(&u->proc, PROG_HEALTH)->wired = on_health_wired;
	u->usable = find_slots(u);
	if (!u->usable) {
		log_event("off", "why", "this disk has no slots that could be chosen");
		return;
	}
	log_slot(u->slots.trial ? "trial" : "usual", u->slots.runs);
	if (!u->slots.trial && slots_keep(&u->slots))
		proc_note(CTL_KEPT);
}
