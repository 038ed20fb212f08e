/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/srskey.h"

#include <string.h>
#include <time.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/keyrand.h"
#include "keys/holder/product.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/date.h"
#include "smtpd/proto/path.h"
#include "smtpd/proto/srs.h"

_Static_assert(CONFIG_FORWARD_SRS_HASH_LEAST <= CONFIG_FORWARD_SRS_HASH,
	       "FORWARD_SRS_HASH_LEAST is more than is made");

/* Stands for the domain of a sender that is in the table; no domain is written so. */
#define TABLE SLICE("-")

static enum srs_result forward(struct srskey *k, const struct srs *s, struct slice local,
			       struct slice domain, struct buf *out)
{
	uint8_t mem[PATH_OCTETS], name[SRSLONG_NAME];
	struct buf whole = BUF(mem), row = BUF(name);
	enum srs_result r;

	path_join(local, domain, &whole);
	if (whole.bad || !local.n || !path_name(domain))
		return SRS_BAD;
	r = srs_forward(s, local, domain, out);
	if (r != SRS_LONG)
		return r;
	srslong_put(&k->senders, buf_slice(&whole), &row);
	return srs_forward(s, buf_slice(&row), TABLE, out);
}

static enum srs_result reverse(struct srskey *k, const struct srs *s, struct slice local,
			       struct slice domain, struct buf *out)
{
	uint8_t mem[SRS_LOCAL];
	struct buf behind = BUF(mem);
	struct slice at;
	enum srs_result r;

	if (domain.n)
		return SRS_BAD;
	r = srs_reverse(s, local, &behind, &at);
	if (r != SRS_OK || behind.bad)
		return r;
	if (slice_eq(at, TABLE))
		srslong_get(&k->senders, buf_slice(&behind), out);
	else if (path_name(at))
		path_join(buf_slice(&behind), at, out);
	return r;
}

static void run(struct srskey *k, struct call *c,
		enum srs_result (*way)(struct srskey *, const struct srs *, struct slice,
				       struct slice, struct buf *))
{
	const struct holder_srs *m = c->msg;
	struct slice secret[SRSKEY_KEPT];
	struct srs s = { .secret = secret,
			 .nsecret = k->secrets.n,
			 .hash = CONFIG_FORWARD_SRS_HASH,
			 .least = CONFIG_FORWARD_SRS_HASH_LEAST,
			 .day = (uint64_t)date_day(time(NULL)),
			 .domain = k->domain };
	struct cur in = CUR(c->tail);
	struct slice local = cur_take(&in, m->local_len);
	uint8_t mem[PATH_OCTETS];
	struct buf out = BUF(mem);
	bool ok;

	for (size_t i = 0; i < k->secrets.n; i++)
		secret[i] =
			(struct slice){ k->secrets.row + i * SRSKEY_ROW + 4, SRSKEY_OCTETS };
	ok = !in.bad && way(k, &s, local, in.s, &out) == SRS_OK && !out.bad && out.len;
	product_answer(&c->token,
		       ok			     ? HOLDER_DONE
		       : k->damaged && srs_is(local) ? HOLDER_NOT_YET
						     : HOLDER_REFUSED,
		       buf_slice(&out));
}

static void on_forward(void *ctx, struct call *c)
{
	run(ctx, c, forward);
}

static void on_reverse(void *ctx, struct call *c)
{
	run(ctx, c, reverse);
}

const struct rule srskey_rules[HOLDER_TYPES] = {
	[HOLDER_SRS_FORWARD] = { .from = 1u << P_CHECK_MX,
				 .size = sizeof(struct holder_srs),
				 .tail_max = HOLDER_SRS_TAIL,
				 .run = on_forward },
	[HOLDER_SRS_REVERSE] = { .from = 1u << P_CHECK_MX,
				 .size = sizeof(struct holder_srs),
				 .tail_max = HOLDER_SRS_TAIL,
				 .run = on_reverse },
};

static uint32_t number_of(const struct srssecrets *s, size_t row)
{
	struct cur c = CUR(((struct slice){ s->row + row * SRSKEY_ROW, 4 }));

	return cur_be32(&c);
}

/* A file of one secret without a number is an older build's: its number is 1. */
static bool load(struct srssecrets *s, enum keyfile_state *state)
{
	struct buf b = BUF(s->row);

	*state = keyfile_load(KEYFILE_SRS, true, &b);
	if (*state != KEYFILE_WHOLE || b.bad)
		return false;
	if (b.len == SRSKEY_OCTETS) {
		memmove(s->row + 4, s->row, SRSKEY_OCTETS);
		memcpy(s->row, "\0\0\0\1", 4);
		b.len = SRSKEY_ROW;
	}
	s->n = b.len / SRSKEY_ROW;
	return s->n && b.len % SRSKEY_ROW == 0;
}

void srskey_init(struct srskey *s, struct slice domain, uint32_t number)
{
	struct srssecrets old = { 0 }, *made = &s->secrets;
	enum keyfile_state state;
	bool whole = load(&old, &state), wanted = !whole || number_of(&old, 0) < number;
	struct buf b = BUF(made->row);

	s->domain = domain;
	s->damaged = state == KEYFILE_DAMAGED;
	made->n = 1;
	buf_be32(&b, number);
	keyrand_get(b.p + b.len, SRSKEY_OCTETS);
	b.len = SRSKEY_ROW;
	for (size_t i = 0; whole && wanted && i < old.n && made->n < SRSKEY_KEPT; i++)
		if (number - number_of(&old, i) < SRSKEY_KEPT) {
			buf_put(&b, (struct slice){ old.row + i * SRSKEY_ROW, SRSKEY_ROW });
			made->n++;
		}
	if (wanted && (whole || state == KEYFILE_NEW) &&
	    keyfile_save(KEYFILE_SRS, buf_slice(&b)))
		log_event("newsecret", "secret", "srs");
	else if (whole) /* no newer one is wanted, or it would not last */
		*made = old;
	else
		log_event("ephemeral", "secret", "srs");
	explicit_bzero(&old, sizeof old);
}

void srskey_wipe(struct srskey *s)
{
	explicit_bzero(&s->secrets, sizeof s->secrets);
}
