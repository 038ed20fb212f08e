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

static enum srs_result forward(const struct srs *s, struct slice local, struct slice domain,
			       struct buf *out)
{
	uint8_t mem[PATH_OCTETS];
	struct buf whole = BUF(mem);

	path_join(local, domain, &whole);
	if (whole.bad || !local.n || !path_name(domain))
		return SRS_BAD;
	return srs_forward(s, local, domain, out);
}

static enum srs_result reverse(const struct srs *s, struct slice local, struct slice domain,
			       struct buf *out)
{
	uint8_t mem[SRS_LOCAL];
	struct buf behind = BUF(mem);
	struct slice at;
	enum srs_result r;

	if (domain.n)
		return SRS_BAD;
	r = srs_reverse(s, local, &behind, &at);
	if (r == SRS_OK && !behind.bad && path_name(at))
		path_join(buf_slice(&behind), at, out);
	return r;
}

static void run(struct srskey *k, struct call *c,
		enum srs_result (*way)(const struct srs *, struct slice, struct slice,
				       struct buf *))
{
	const struct holder_srs *m = c->msg;
	struct slice secret = { k->secret, sizeof k->secret };
	struct srs s = { .secret = &secret,
			 .nsecret = 1,
			 .hash = CONFIG_FORWARD_SRS_HASH,
			 .day = (uint64_t)date_day(time(NULL)),
			 .domain = k->domain };
	struct cur in = CUR(c->tail);
	struct slice local = cur_take(&in, m->local_len);
	uint8_t mem[PATH_OCTETS];
	struct buf out = BUF(mem);
	bool ok = !in.bad && way(&s, local, in.s, &out) == SRS_OK && !out.bad && out.len;

	product_answer(&c->token, ok ? HOLDER_DONE : HOLDER_REFUSED, buf_slice(&out));
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

void srskey_init(struct srskey *s, struct slice domain)
{
	struct buf b = BUF(s->secret);
	enum keyfile_state state = keyfile_load(KEYFILE_SRS, true, &b);

	s->domain = domain;
	if (state == KEYFILE_WHOLE && !b.bad && b.len == SRSKEY_OCTETS)
		return;
	keyrand_get(s->secret, sizeof s->secret);
	if (state != KEYFILE_NEW ||
	    !keyfile_save(KEYFILE_SRS, (struct slice){ s->secret, sizeof s->secret }))
		log_event("ephemeral", "secret", "srs");
}

void srskey_wipe(struct srskey *s)
{
	explicit_bzero(s->secret, sizeof s->secret);
}
