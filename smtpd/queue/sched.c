/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/sched.h"

#include <sodium.h>
#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/arena.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/envelope.h"

/*
 * NOTES. A recipient stands in a lane exactly while its state is RCPT_READY. A lane that is not
 * parked lies in its account's ring, and the account in the scheduler's, unless the account has all
 * the deliveries it may have. A lane is parked at a gate that is full, and whatever makes room there
 * wakes as many lanes as there is room for. One that was woken and does not run passes its turn on:
 * when it ends, when it parks at another gate, when its account has all that it may have, when its
 * destination goes to another operator. So nothing is parked for good.
 */

/* ---- lanes ---- */

static void offer(struct sched *s, struct account *a)
{
	if (link_empty(&a->turn) && !link_empty(&a->lanes) && a->active < SCHED_ACCOUNT)
		link_put(&s->ring, &a->turn);
}

static void unpark(struct sched *s, struct lane *l)
{
	if (!l->parked)
		return;
	l->parked = false;
	l->woken = true;
	l->account->woken++;
	link_drop(&l->turn);
	link_put(&l->account->lanes, &l->turn);
	offer(s, l->account);
}

static void wake(struct sched *s, struct gate *g, bool all)
{
	uint32_t n = all ? UINT32_MAX : g->most > g->active ? g->most - g->active : 0;

	while (n && !link_empty(&g->parked)) {
		struct lane *l = OWNER(struct lane, turn, g->parked.next);

		unpark(s, l);
		n -= l->account->active < SCHED_ACCOUNT; /* else it cannot use it */
	}
}

static void settle(struct lane *l)
{
	l->account->woken -= l->woken;
	l->woken = false;
}

static void wake_around(struct sched *s, struct dest *d, int64_t now)
{
	wake(s, &d->gate, d->until > now);
	if (d->group)
		wake(s, &d->group->gate, d->group->until > now);
	wake(s, &s->strangers, false);
}

/* What it was woken for is for another one. */
static void pass_on(struct sched *s, struct lane *l)
{
	settle(l);
	wake_around(s, l->dest, INT64_MAX);
}

static struct lane *lane_get(struct sched *s, struct account *a, uint32_t key)
{
	struct dest *d = dest_get(&s->dests, key);
	struct lane *l = s->free;

	for (struct link *i = d->lanes.next; i != &d->lanes; i = i->next)
		if (OWNER(struct lane, of, i)->account == a) {
			dest_put(&s->dests, d);
			return OWNER(struct lane, of, i);
		}
	if (l)
		s->free = l->free;
	else
		l = &s->lane[s->lanes++];
	*l = (struct lane){ .account = a, .dest = d, .first = LEDGER_NONE, .last = LEDGER_NONE };
	link_init(&l->turn);
	link_init(&l->of);
	link_put(&d->lanes, &l->of);
	link_put(&a->lanes, &l->turn);
	offer(s, a);
	return l;
}

static void lane_drop(struct sched *s, struct lane *l)
{
	struct dest *d = l->dest;
	struct account *a = l->account;

	link_drop(&l->turn);
	link_drop(&l->of);
	if (link_empty(&a->lanes))
		link_drop(&a->turn);
	l->free = s->free;
	s->free = l;
	if (!l->parked)
		pass_on(s, l);
	dest_put(&s->dests, d);
}

static void unready(void *ctx, uint32_t rcpt)
{
	struct sched *s = ctx;
	struct rcpt *k = &s->g->rcpt[rcpt];
	struct lane *l = k->lane;

	*(k->left == LEDGER_NONE ? &l->first : &s->g->rcpt[k->left].right) = k->right;
	*(k->right == LEDGER_NONE ? &l->last : &s->g->rcpt[k->right].left) = k->left;
	k->lane = NULL;
	if (l->first == LEDGER_NONE)
		lane_drop(s, l);
}

/* Who is due leaves the heap. */
static void promote(struct sched *s, int64_t now)
{
	struct ledger *g = s->g;
	uint32_t i;

	while ((i = ledger_first(g)) != LEDGER_NONE && g->rcpt[i].due <= now &&
	       (s->free || s->lanes < SCHED_LANES)) {
		struct rcpt *k = &g->rcpt[i];
		struct account *a = g->letter[k->letter].account;

		ledger_unwait(g, i);
		k->state = RCPT_READY;
		k->lane = lane_get(s, a ? a : &s->accounts.all[0], k->dest);
		k->left = k->lane->last;
		k->right = LEDGER_NONE;
		*(k->left == LEDGER_NONE ? &k->lane->first : &g->rcpt[k->left].right) = i;
		k->lane->last = i;
	}
}

/* ---- letters ---- */

static uint64_t hash(const struct sched *s, struct slice text)
{
	uint8_t lower[ENV_RECORD_MAX], sum[16];
	struct buf b = BUF(lower);
	uint64_t key;

	buf_lower(&b, text);
	crypto_generichash(sum, sizeof sum, lower, b.len, s->secret, sizeof s->secret);
	memcpy(&key, sum, sizeof key);
	return key & ~DEST_GROUP;
}

void sched_keys(const struct sched *s, struct slice head, struct keys *k)
{
	struct cur c = CUR(head);
	enum env_tag tag;
	struct slice v;

	k->account = 0;
	k->n = 0;
	while (envelope_next(&c, &tag, &v)) {
		if (tag == ENV_ACCOUNT)
			k->account = hash(s, v);
		else if (tag == ENV_ORIGINAL && !k->account)
			k->account = hash(s, v); /* strangers' letters: whom they are for */
		else if (tag == ENV_RCPT && k->n < CONFIG_SMTPD_MAX_RCPTS)
			k->dest[k->n++] = (uint32_t)hash(s, slice_from(v, slice_rfind(v, '@')));
	}
}

void sched_own(struct sched *s, uint32_t letter, const struct keys *k)
{
	struct letter *e = &s->g->letter[letter];

	e->account = account_get(&s->accounts, k->account);
	account_letter(&s->accounts, e->account, 1, jr_round(jr_length(&e->r)));
	for (uint32_t i = e->first; i != LEDGER_NONE; i = s->g->rcpt[i].next)
		if (s->g->rcpt[i].no < k->n)
			s->g->rcpt[i].dest = k->dest[s->g->rcpt[i].no];
}

static void left(void *ctx, uint32_t letter)
{
	struct sched *s = ctx;
	struct letter *e = &s->g->letter[letter];

	if (e->account)
		account_letter(&s->accounts, e->account, -1, jr_round(jr_length(&e->r)));
	e->account = NULL;
}

void sched_init(struct sched *s, struct ledger *g)
{
	*s = (struct sched){ .g = g,
			     .strangers.most = SCHED_STRANGERS,
			     .lane = arena_reserve(SCHED_LANES * sizeof *s->lane) };
	if (getrandom(s->secret, sizeof s->secret, 0) != sizeof s->secret)
		bug("no random octets");
	accounts_init(&s->accounts);
	dests_init(&s->dests, SCHED_LANES + 2 * DEST_IDLE);
	link_init(&s->ring);
	link_init(&s->strangers.parked);
	g->unready = unready;
	g->left = left;
	g->ctx = s;
}

/* ---- turns ---- */

static bool full(const struct gate *g)
{
	return g->active >= g->most;
}

static struct gate *full_gate(struct sched *s, struct dest *d)
{
	if (full(&d->gate))
		return &d->gate;
	if (d->group && full(&d->group->gate))
		return &d->group->gate;
	return !d->proven && full(&s->strangers) ? &s->strangers : NULL;
}

/* The account has all the deliveries it may have. */
static void pass_all_on(struct sched *s, struct account *a)
{
	for (struct link *i = a->lanes.next; a->woken && i != &a->lanes; i = i->next)
		if (OWNER(struct lane, turn, i)->woken)
			pass_on(s, OWNER(struct lane, turn, i));
}

static void park(struct sched *s, struct lane *l, struct gate *g)
{
	link_drop(&l->turn);
	link_put(&g->parked, &l->turn);
	l->parked = true;
	pass_on(s, l);
}

uint32_t sched_next(struct sched *s, int64_t now, int64_t *until)
{
	promote(s, now);
	while (!link_empty(&s->ring)) {
		struct account *a = OWNER(struct account, turn, s->ring.next);
		struct lane *l = OWNER(struct lane, turn, a->lanes.next);
		struct gate *g;

		if (link_empty(&a->lanes)) {
			link_drop(&a->turn);
			continue;
		}
		*until = dest_until(l->dest, now);
		g = *until ? NULL : full_gate(s, l->dest);
		if (!g)
			return l->first;
		park(s, l, g);
	}
	return LEDGER_NONE;
}

struct dest *sched_dest(const struct sched *s, uint32_t rcpt)
{
	return s->g->rcpt[rcpt].lane->dest;
}

void sched_begin(struct sched *s, uint32_t rcpt, int64_t now, struct slot *slot)
{
	struct lane *l = s->g->rcpt[rcpt].lane;
	struct account *a = l->account;
	struct dest *d = l->dest;

	*slot = (struct slot){ a, d, d->group, !d->proven, now };
	d->refs++;
	if (d->group)
		d->group->refs++;
	dest_begin(d);
	s->strangers.active += slot->stranger;
	account_active(&s->accounts, a, 1);
	settle(l);
	/* The others are next. */
	link_drop(&l->turn);
	link_put(&a->lanes, &l->turn);
	link_drop(&a->turn);
	offer(s, a);
	if (a->active >= SCHED_ACCOUNT)
		pass_all_on(s, a);
	ledger_unwait(s->g, rcpt);
}

void sched_end(struct sched *s, struct slot *slot, enum dest_end how, uint64_t group,
	       int64_t now)
{
	struct dest *d = slot->dest;
	struct account *a = slot->account;
	struct dest *before = d->group;

	dest_end(d, slot->group, how, slot->begun, now);
	dest_learn(&s->dests, d, group);
	s->strangers.active -= slot->stranger;
	account_active(&s->accounts, a, -1);
	offer(s, a);
	if ((slot->stranger && d->proven) || d->group != before)
		for (struct link *i = d->lanes.next; i != &d->lanes; i = i->next)
			unpark(s, OWNER(struct lane, of, i));
	wake_around(s, d, now);
	if (before && before != d->group)
		wake(s, &before->gate, false);
	if (slot->group) {
		wake(s, &slot->group->gate, slot->group->until > now);
		dest_put(&s->dests, slot->group);
	}
	dest_put(&s->dests, d);
}
