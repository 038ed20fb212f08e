/* SPDX-License-Identifier: ISC */
#include "smtpd/out/shape.h"

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"

/*
 * NOTES
 * A bucket is one time: `full`. It has n tokens when n more would take it past that time: so the next one but `ahead`
 * is there at full - (burst - 1 - ahead) * every, and taking one moves `full` on by `every`. Tokens are taken when a
 * letter begins, not when it comes: a letter that is given up has cost nothing, and what waited long behind a slow
 * connection goes no faster than the mailbox allows.
 */
enum { MINUTE = 60 * 1000 };

static const int64_t LONG_AGO = INT64_MIN / 2;

void shape_init(struct shape *s)
{
	*s = (struct shape){ .limits = { .burst = CONFIG_FORWARD_BURST,
					 .every = MINUTE / CONFIG_FORWARD_MINUTE,
					 .minute = SHAPE_MINUTE,
					 .connections = CONFIG_FORWARD_CONNECTIONS,
					 .refusals = CONFIG_FORWARD_REFUSALS,
					 .budget = CONFIG_FORWARD_WAIT * 1000 } };
	link_init(&s->line);
	for (unsigned i = 0; i < SHAPE_OPERATORS; i++)
		s->op[i].used = LONG_AGO;
	for (unsigned i = 0; i < SHAPE_BOXES; i++)
		s->box[i].used = LONG_AGO;
}

/* The one with this key; else the place of one that nothing is under way to: one that is not stopped, if there is,
 * and was used longest ago. */
static struct shape_op *op_of(struct shape *s, uint64_t key, int64_t now)
{
	struct shape_op *old = NULL;

	for (struct shape_op *o = s->op; o < s->op + SHAPE_OPERATORS; o++) {
		if (o->key == key && o->used != LONG_AGO)
			return o;
		if (!o->turns &&
		    (!old || (shape_left(o, now) == shape_left(old, now)
				      ? o->used < old->used
				      : shape_left(o, now) < shape_left(old, now))))
			old = o;
	}
	if (!old)
		bug("more turns than places");
	*old = (struct shape_op){ .key = key, .most = 1, .since = LONG_AGO };
	return old;
}

static struct shape_box *box_of(struct shape *s, uint64_t key)
{
	struct shape_box *old = NULL;

	for (struct shape_box *b = s->box; b < s->box + SHAPE_BOXES; b++) {
		if (b->key == key && b->used != LONG_AGO)
			return b;
		if (!b->turns && (!old || b->used < old->used))
			old = b;
	}
	if (!old)
		bug("more turns than places");
	*old = (struct shape_box){ .key = key };
	for (unsigned i = 0; i <= SHAPE_MINUTE; i++)
		old->at[i] = LONG_AGO;
	return old;
}

void shape_enter(struct shape *s, struct turn *t, uint64_t op, uint64_t box, int64_t now)
{
	struct link *before = &s->line;

	*t = (struct turn){ .op = op_of(s, op, now),
			    .box = box_of(s, box),
			    .word = SHAPE_WAITS,
			    .yields = t->yields,
			    .came = now };
	t->op->used = t->box->used = now;
	t->op->turns++;
	t->box->turns++;
	while (!t->yields && before->prev != &s->line &&
	       OWNER(struct turn, line, before->prev)->yields)
		before = before->prev;
	link_put(before, &t->line);
}

/* When the bucket has a token for the next letter after `ahead` others. */
static int64_t token_at(const struct shape *s, int64_t full, uint32_t ahead)
{
	return full - ((int64_t)s->limits.burst - 1 - ahead) * s->limits.every;
}

static void take_token(const struct shape *s, int64_t *full, int64_t now)
{
	*full = (*full > now ? *full : now) + s->limits.every;
}

/* The same for the mailbox's minute; too early where more are ahead than a minute takes. */
static int64_t minute_at(const struct shape *s, const struct shape_box *b, uint32_t ahead)
{
	uint32_t n = s->limits.minute;

	return n ? b->at[(b->next + ahead) % n] + MINUTE : LONG_AGO;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void begin(struct shape *s, struct turn *t, int64_t now)
{
	struct shape_box *b = t->box;

	t->word = SHAPE_GOES;
	t->begun = now;
	t->op->active++;
	t->op->yielding += t->yields;
	take_token(s, &t->op->full, now);
	take_token(s, &b->full, now);
	b->at[b->next] = now;
	b->next = s->limits.minute ? (b->next + 1) % s->limits.minute : 0;
}

/* What becomes of it now, with those before it in the line counted as `ahead`; *at: when its tokens are there. */
static enum shape_word judge(struct shape *s, struct turn *t, int64_t now, int64_t *at)
{
	struct shape_op *o = t->op;
	struct shape_box *b = t->box;
	uint32_t tokens = t->yields ? s->limits.burst / 2 : 0; /* that are not for this one */
	uint32_t minute = t->yields ? s->limits.minute / 2 : 0;
	int64_t last = t->came + s->limits.budget;
	bool room = o->active < o->most && (!t->yields || o->yielding < (o->most + 1) / 2);

	*at = later(later(token_at(s, o->full, o->ahead + tokens),
			  token_at(s, b->full, b->ahead + tokens)),
		    minute_at(s, b, b->ahead + minute));
	if (shape_left(o, now))
		return SHAPE_STOPPED;
	if (*at > last || now > last)
		return SHAPE_LATE;
	return *at <= now && room ? SHAPE_GOES : SHAPE_WAITS;
}

struct turn *shape_next(struct shape *s, int64_t now, int64_t *when)
{
	int64_t at;

	for (unsigned i = 0; i < SHAPE_OPERATORS; i++)
		s->op[i].ahead = 0;
	for (unsigned i = 0; i < SHAPE_BOXES; i++)
		s->box[i].ahead = 0;
	*when = INT64_MAX;
	for (struct link *l = s->line.next; l != &s->line; l = l->next) {
		struct turn *t = OWNER(struct turn, line, l);
		enum shape_word w = judge(s, t, now, &at);

		if (w != SHAPE_WAITS) {
			link_drop(l);
			t->word = w;
			if (w == SHAPE_GOES)
				begin(s, t, now);
			return t;
		}
		/* It waits for a connection: until one ends, or to the end of its budget. */
		if (at <= now)
			at = t->came + s->limits.budget + 1;
		*when = at < *when ? at : *when;
		t->waited = true;
		t->op->ahead++;
		t->box->ahead++;
	}
	return NULL;
}

void shape_leave(struct turn *t)
{
	if (t->word == SHAPE_NONE)
		return;
	if (t->word == SHAPE_WAITS)
		link_drop(&t->line);
	if (t->word == SHAPE_GOES) {
		t->op->active--;
		t->op->yielding -= t->yields;
	}
	t->op->turns--;
	t->box->turns--;
	t->word = SHAPE_NONE;
}

static void stop(struct shape_op *o, int64_t ms, int64_t now)
{
	o->most = 1;
	o->since = now;
	o->until = later(o->until, now + ms);
}

/* What began before the last stop tells nothing that led not to it already. */
bool shape_end(struct shape *s, struct turn *t, enum gmail_class said, int64_t now)
{
	struct shape_op *o = t->op;
	bool fresh = t->word == SHAPE_GOES && t->begun > o->since;

	shape_leave(t);
	if (said == GMAIL_FAST)
		t->box->full = later(t->box->full, now + s->limits.burst * s->limits.every);
	if (!fresh)
		return false;
	if (said == GMAIL_OK) {
		o->refused = 0;
		o->most += o->most < s->limits.connections;
	}
	o->refused += said == GMAIL_REPUTATION;
	if (said != GMAIL_RATE && (said != GMAIL_REPUTATION || o->refused < s->limits.refusals))
		return false;
	stop(o, OUT_RATE_MS, now);
	return true;
}

void shape_stop(struct shape *s, uint64_t op, int64_t ms, int64_t now)
{
	struct shape_op *o = op_of(s, op, now);

	o->used = now;
	stop(o, ms < OUT_RATE_MS ? ms : OUT_RATE_MS, now);
}

int64_t shape_left(const struct shape_op *o, int64_t now)
{
	return o->until > now ? o->until - now : 0;
}
