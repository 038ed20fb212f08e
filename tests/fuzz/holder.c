/* SPDX-License-Identifier: ISC */
/* The messages that the holders receive, with arbitrary bodies, through their rules. The first octet says who. */
#include "init/topology.h"
#include "keys/holder/acctkey.h"
#include "keys/holder/dkimkey.h"
#include "keys/holder/srskey.h"
#include "keys/holder/tlskey.h"

#include <string.h>

static struct loop loop;
static struct chan chan;
static struct tlskey tls;
static struct srskey srs;
static struct dkimkey dkim, ed;
static struct acctkey account;
static uint8_t rx[MSG_MAX];

static const struct {
	const struct rule *rules;
	void *ctx;
	unsigned from;
} holders[] = {
	{ tlskey_rules, &tls, P_FRONT_MX },    { srskey_rules, &srs, P_CHECK_MX },
	{ dkimkey_rules, &dkim, P_CHECK_SUB }, { dkimkey_rules, &ed, P_CHECK_SUB },
	{ acctkey_rules, &account, P_ACME },
};

static void start(void)
{
	loop_init(&loop, 8);
	chan_init(&chan, &loop, P_FRONT_MX, 1, rx);
	/* No folder of keys where this runs: all secrets are ephemeral. */
	tlskey_init(&tls, SLICE("mail.example.org"), 1700000000, false);
	acctkey_init(&account, -1);
	srskey_init(&srs, SLICE("example.org"), 1);
	dkim = (struct dkimkey){ .rsa = true, .loop = &loop, .selector = SLICE("sel") };
	ed = (struct dkimkey){ .ed25519 = true, .loop = &loop, .selector = SLICE("sel") };
	dkimkey_init(&dkim, SLICE("example.org"), -1);
	dkimkey_init(&ed, SLICE("example.org"), -1);
	/* So that the preimage is looked at; all zero it signs nothing. */
	dkim.slot[0].known = ed.slot[0].known = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	union {
		struct msg h;
		struct holder_cert cert;
		struct holder_tls_sign sign;
		struct holder_dkim_sign dkim;
		struct holder_dkim_long dkim_long;
		struct holder_dkim_record record;
		struct holder_srs srs;
		struct holder_acme_request request;
	} m;
	struct call c = { .token = { .chan = &chan }, .msg = &m, .fd = { -1, -1 } };
	const struct rule *r;
	unsigned who = n ? p[0] % 5 : 0;

	if (!n)
		return 0;
	if (!loop.cap)
		start();
	p++;
	n--;
	memset(&m, 0, sizeof m);
	memcpy(&m, p, n < sizeof m ? n : sizeof m);
	r = m.h.type < HOLDER_TYPES ? &holders[who].rules[m.h.type] : NULL;
	if (!r || !r->run || n < r->size || n - r->size > r->tail_max)
		return 0;
	c.from = holders[who].from;
	c.tail = (struct slice){ p + r->size, n - r->size };
	r->run(holders[who].ctx, &c);
	return 0;
}
