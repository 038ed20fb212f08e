/* SPDX-License-Identifier: ISC */
#include "keys/acme/acme.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/selfcheck.h"
#include "smtpd/proto/base64.h"
#include "smtpd/proto/certinfo.h"

enum {
	TICK_MS = 1000,
	HOLDER_MS = 5000,
	DAY = 86400,
	WAIT_MAX = 8 * DAY,
	WINDOW_S = DAY / 4, /* the authority is asked so often */
	UNREACHED_S = 2,    /* then twice as long each time */
	UNREACHED_MAX = 3600,
};

static const struct want want_cert = { HOLDER_CERT, sizeof(struct holder_reply),
				       HOLDER_CERT_TAIL };

/* RULES A3 */
int64_t acme_renewal(int64_t not_before, int64_t not_after)
{
	int64_t life = not_after - not_before;

	return not_before + (life < 10 * DAY ? life / 2 : life / 3 * 2);
}

static int64_t renew_at(const struct acme *a)
{
	int64_t at = acme_renewal(a->not_before, a->not_after), least = a->not_before + DAY;

	if (!a->issued || a->other)
		return 0;
	if (a->file.renew_at && a->file.renew_at < a->not_after)
		at = a->file.renew_at > least ? a->file.renew_at : least;
	return at;
}

/* Not before: what a failure or the authority says; after a success a day, so that one whose certificates are due when
 * they come gets one order a day, however often we start; but where what is wanted has changed since, nothing. */
static int64_t rest(const struct acme *a)
{
	return !a->file.failures && (!a->issued || a->other) ? 0 : a->file.next_try;
}

/* ---- what holder presents ---- */

/* RFC 9773 4.1 */
static void put_certid(struct talk *t, const struct certinfo *c)
{
	struct buf b = { .p = (uint8_t *)t->certid, .cap = sizeof t->certid - 1 };

	base64_put_url(&b, c->authority);
	buf_u8(&b, '.');
	base64_put_url(&b, c->serial);
	t->certid[b.bad || !c->authority.n ? 0 : b.len] = 0;
}

static void on_cert(struct ask *ask, const void *reply, struct slice tail)
{
	struct acme *a = OWNER(struct acme, ask, ask);
	const struct holder_reply *r = reply;
	struct cur c = CUR(tail);
	struct certinfo info;
	struct logline l;

	if (!r || r->result != HOLDER_DONE ||
	    !certinfo_parse(cur_take(&c, cur_be16(&c)), &info))
		return;
	a->known = true;
	a->issued = !slice_eq(info.issuer, info.subject);
	a->other = info.rsa != a->talk.what.rsa;
	for (struct slice names = slice_trim(slice_of(a->talk.what.names)); names.n;)
		a->other |= !certinfo_names(&info, slice_word(&names));
	a->not_before = info.not_before;
	a->not_after = info.not_after;
	a->talk.certid[0] = 0;
	if (!a->issued)
		return;
	put_certid(&a->talk, &info);
	log_begin(&l, "certificate");
	log_bytes(&l, "issuer", certinfo_common_name(info.issuer));
	log_num(&l, "until", info.not_after);
	log_num(&l, "renewal", renew_at(a));
	log_send(&l);
}

static void look(struct acme *a)
{
	struct holder_cert m = { 0 };

	a->ask.done = on_cert;
	if (!a->ask.chan)
		chan_ask(a->talk.tls_holder, &a->ask, &m, sizeof m, (struct slice){ NULL, 0 },
			 NULL, 0, &want_cert, HOLDER_MS);
}

/* ---- ends of a conversation ---- */

/* RULES A8: nobody else tells. Once a day. */
static void alarm_if_late(struct acme *a, int64_t now, const char *why)
{
	struct logline l;

	if (!a->issued || now < a->not_after - (a->not_after - a->not_before) / 3 ||
	    now - a->alarmed < DAY)
		return;
	a->alarmed = now;
	log_begin(&l, "alarm");
	log_text(&l, "certificate", now < a->not_after ? "ends" : "ended");
	log_num(&l, "hours", (a->not_after - now) / 3600);
	log_text(&l, "why", why);
	log_send(&l);
}

static void failed(struct acme *a, enum talk_end end, int64_t now)
{
	struct talk *t = &a->talk;
	int64_t wait = (int64_t)UNREACHED_S << (a->unreached < 11 ? a->unreached : 11);
	struct logline l;

	if (end == TALK_UNREACHED) {
		a->unreached++;
		a->retry_at = now + (wait < UNREACHED_MAX ? wait : UNREACHED_MAX);
	} else if (end == TALK_LATER) {
		a->file.next_try = now + t->wait;
		a->file.failures += !a->file.failures;
		orderfile_save(&a->file);
	} else {
		orderfile_failed(&a->file, now, t->counted);
		orderfile_save(&a->file);
	}
	log_begin(&l, "order");
	log_text(&l, "failed", t->why);
	log_num(&l, "failures", (int64_t)a->file.failures);
	log_num(&l, "again",
		(a->retry_at > a->file.next_try ? a->retry_at : a->file.next_try) - now);
	log_send(&l);
	alarm_if_late(a, now, t->why);
}

/* Any moment of it is as likely as another (RFC 9773 4.2). */
static void draw(struct orderfile *f)
{
	uint64_t r;

	if (getrandom(&r, sizeof r, 0) != sizeof r)
		bug("getrandom");
	f->renew_at =
		f->window.start + (int64_t)(r % (uint64_t)(f->window.end - f->window.start));
}

static void got_window(struct acme *a, enum talk_end end, int64_t now,
		       struct acmedoc_window old)
{
	struct orderfile *f = &a->file;
	int64_t again = a->talk.wait ? a->talk.wait : WINDOW_S;

	/* Its absence is no failure: the certificate's own life is a rule, too. */
	a->window_at = now + (end == TALK_DONE && again > 60 && again < DAY ? again : WINDOW_S);
	if (end != TALK_DONE || !memcmp(&old, &f->window, sizeof old))
		return;
	draw(f);
	orderfile_save(f);
	log_event("window", NULL, NULL);
}

static void on_done(struct talk *t, enum talk_end end)
{
	struct acme *a = t->owner;
	int64_t now = a->now;

	a->tick.due = a->talk.env.loop->now;
	if (a->for_window) {
		got_window(a, end, now, a->before);
		return;
	}
	if (end != TALK_DONE) {
		failed(a, end, now);
		return;
	}
	a->file.order[0] = 0;
	a->file.failures = 0;
	a->file.next_try = now + DAY;
	a->file.renew_at = 0;
	a->file.window = (struct acmedoc_window){ 0, 0 };
	orderfile_save(&a->file);
	a->unreached = 0;
	a->retry_at = a->window_at = a->alarmed = 0;
	a->known = false; /* look at what was got */
}

/* ---- the clock ---- */

static void start(struct acme *a, bool for_window)
{
	a->for_window = for_window;
	a->before = a->file.window;
	talk_start(&a->talk, for_window);
}

/* No authority asks for a longer wait than WAIT_MAX: one that is longer was set while the clock was wrong. */
static int64_t believed(int64_t at, int64_t now)
{
	return at > now + WAIT_MAX ? now : at;
}

/* ---- the account, for CAA records that name it ---- */

static void on_told(struct ask *ask, const void *reply, struct slice nothing)
{
	struct acme *a = OWNER(struct acme, tell, ask);

	(void)nothing;
	if (!reply)
		a->told[0] = 0; /* again with the next turn */
}

static void tell_account(struct acme *a)
{
	static const struct want want = { SELFCHECK_ACCOUNT, sizeof(struct selfcheck_noted),
					  0 };
	struct selfcheck_account m = { .h = { .type = 0 } };

	if (!a->selfcheck || a->tell.chan || !strcmp(a->told, a->file.account))
		return;
	a->tell.done = on_told;
	if (chan_ask(a->selfcheck, &a->tell, &m, sizeof m, slice_of(a->file.account), NULL, 0,
		     &want, HOLDER_MS))
		memcpy(a->told, a->file.account, sizeof a->told);
}

/* A selfcheck that was started again has forgotten it. */
static void on_wired(struct chan *c)
{
	((struct acme *)c->owner)->told[0] = 0;
}

int64_t acme_turn(struct acme *a, int64_t now)
{
	int64_t due = renew_at(a), wait = believed(rest(a), now);

	a->now = now;
	a->retry_at = believed(a->retry_at, now);
	a->window_at = believed(a->window_at, now);
	tell_account(a);
	if (a->talk.busy || a->ask.chan)
		return 0;
	if (!a->known) {
		look(a);
		return 0;
	}
	if (a->retry_at > wait)
		wait = a->retry_at;
	if (wait > due)
		due = wait;
	if (now >= due) {
		start(a, false);
		return 0;
	}
	if (a->issued && a->talk.certid[0] && now >= a->window_at &&
	    now >= (a->file.failures ? wait : a->retry_at)) {
		start(a, true);
		return 0;
	}
	return due;
}

static void on_tick(struct watch *w, short got)
{
	struct acme *a = OWNER(struct acme, tick, w);

	(void)got;
	w->due = a->talk.env.loop->now + TICK_MS;
	acme_turn(a, time(NULL));
}

void acme_init(struct acme *a, const char *directory, int listen_fd)
{
	struct loop *l = a->talk.env.loop;

	if (a->selfcheck) {
		a->selfcheck->owner = a;
		a->selfcheck->wired = on_wired;
	}

	a->talk.file = &a->file;
	a->talk.done = on_done;
	a->talk.owner = a;
	talk_init(&a->talk, listen_fd);
	a->tick = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_tick };
	loop_add(l, &a->tick);
	if (orderfile_load(&a->file, directory))
		a->tick.due = 0;
	else
		log_event("acme", "off", "there is no key disk");
}
