/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/dest.h"

#include "smtpd/lib/arena.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/out.h"
#include "smtpd/queue/journal.h"

static void begin(struct dest *d, uint64_t key)
{
	*d = (struct dest){ .key = key, .gate.most = 1 };
	link_init(&d->gate.parked);
	link_init(&d->idle);
	link_init(&d->lanes);
}

void dests_init(struct dests *t, uint32_t cap)
{
	*t = (struct dests){ .all = arena_reserve(cap * sizeof *t->all),
			     .cap = cap,
			     .used = 1 };
	link_init(&t->idle);
	begin(&t->all[0], 0);
}

static struct dest **bucket_of(struct dests *t, uint64_t key)
{
	return &t->bucket[(key ^ key >> 32) % DEST_BUCKETS];
}

static void forget_oldest(struct dests *t)
{
	struct dest *d = OWNER(struct dest, idle, t->idle.next), **p = bucket_of(t, d->key);

	link_drop(&d->idle);
	t->nidle--;
	while (*p != d)
		p = &(*p)->chain;
	*p = d->chain;
	d->chain = t->free;
	t->free = d;
	if (d->group)
		dest_put(t, d->group);
}

static struct dest *make(struct dests *t, uint64_t key)
{
	struct dest *d, **b = bucket_of(t, key);

	if (!t->free && t->used == t->cap && t->nidle)
		forget_oldest(t);
	if (t->free) {
		d = t->free;
		t->free = d->chain;
	} else if (t->used < t->cap) {
		d = &t->all[t->used++];
	} else {
		return &t->all[0];
	}
	begin(d, key);
	d->chain = *b;
	*b = d;
	return d;
}

static struct dest *find(struct dests *t, uint64_t key)
{
	struct dest *d = *bucket_of(t, key);

	while (d && d->key != key)
		d = d->chain;
	return d;
}

void dest_resume(struct dests *t, uint64_t key)
{
	struct dest *d = find(t, key);

	if (d)
		d->until = 0;
	if (d && d->group)
		d->group->until = 0;
}

struct dest *dest_get(struct dests *t, uint64_t key)
{
	struct dest *d = find(t, key);

	if (!d)
		d = make(t, key);
	if (!d->refs++ && !link_empty(&d->idle)) {
		link_drop(&d->idle);
		t->nidle--;
	}
	return d;
}

void dest_put(struct dests *t, struct dest *d)
{
	if (--d->refs || d == &t->all[0])
		return;
	link_put(&t->idle, &d->idle);
	if (++t->nidle > DEST_IDLE)
		forget_oldest(t);
}

int64_t dest_until(const struct dest *d, int64_t now)
{
	if (d->until > now)
		return d->until;
	return d->group && d->group->until > now ? d->group->until : 0;
}

void dest_begin(struct dest *d)
{
	d->gate.active++;
	if (d->group)
		d->group->gate.active++;
}

static void wider(struct dest *d)
{
	d->proven = true;
	d->failures = 0;
	if (++d->well < d->gate.most)
		return;
	d->well = 0;
	d->gate.most += d->gate.most < DEST_MOST;
}

static void narrower(struct dest *d)
{
	d->well = 0;
	d->gate.most -= d->gate.most > 1;
}

/* What began before the pause tells nothing that led not to it already. */
static void pause(struct dest *d, int64_t ms, int64_t begun, int64_t now)
{
	if (begun <= d->since)
		return;
	d->gate.most = 1;
	d->well = 0;
	d->since = now;
	d->until = now + ms;
}

void dest_end(struct dest *d, struct dest *group, enum dest_end how, int64_t begun, int64_t now)
{
	struct dest *o = group ? group : d;

	d->gate.active--;
	if (group)
		group->gate.active--;
	switch (how) {
	case DEST_WELL:
		wider(d);
		if (o != d)
			wider(o);
		break;
	case DEST_SLOW:
		narrower(o);
		break;
	case DEST_STOP:
		pause(o, OUT_RATE_MS, begun, now);
		break;
	case DEST_DEAD:
		if (begun > d->since)
			d->failures += d->failures < UINT8_MAX;
		pause(d, journal_pause(d->failures), begun, now);
		if (o != d)
			narrower(o);
		break;
	case DEST_UNCLEAR:
		break;
	}
}

void dest_learn(struct dests *t, struct dest *d, uint64_t group)
{
	struct dest *o;

	group |= group ? DEST_GROUP : 0;
	if (!group || (d->group && d->group->key == group) || d == &t->all[0])
		return;
	o = dest_get(t, group);
	if (!o->proven) /* new: what its first domain has shown */
		o->gate.most = d->gate.most;
	o->proven = true;
	if (d->group)
		dest_put(t, d->group);
	d->group = o;
}
