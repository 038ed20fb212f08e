/* SPDX-License-Identifier: ISC */
/* The three kinds of holder behind their channels, their secrets in this folder. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/topology.h"
#include "keys/holder/dkimkey.h"
#include "keys/holder/dkimlife.h"
#include "keys/holder/keyfile.h"
#include "keys/holder/srskey.h"
#include "keys/holder/tlskey.h"
#include "smtpd/proto/base64.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dkim_sign.h"
#include "tests/unit/test.h"

static struct {
	struct loop loop;
	struct chan asker, holder;
	uint8_t rx[MSG_MAX], rx2[MSG_MAX];
} t;

static struct {
	int calls, lost;
	unsigned result;
	uint32_t number;
	uint8_t mem[HOLDER_CERT_TAIL];
	struct buf product;
} seen;

static struct tlskey tls;
static struct srskey srs;
static struct dkimkey dkim;

static void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	const struct holder_reply *r = reply;

	(void)a;
	seen.calls++;
	seen.lost += !r;
	seen.result = r ? r->result : 99;
	seen.number = r ? r->number : 0;
	seen.product = BUF(seen.mem);
	buf_put(&seen.product, tail);
}

static void wire(enum proc_id from, const struct rule *rules, void *ctx)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	chan_init(&t.asker, &t.loop, P_HOLDER_TLS, 8, t.rx);
	chan_init(&t.holder, &t.loop, from, 8, t.rx2);
	t.holder.rules = rules;
	t.holder.nrules = HOLDER_TYPES;
	t.holder.ctx = ctx;
	chan_wire(&t.asker, pair[0], 1);
	chan_wire(&t.holder, pair[1], 1);
}

static int ask_fd = -1; /* goes with the next request */

static unsigned ask(enum holder_type type, void *msg, size_t size, struct slice tail)
{
	const struct want want = { (uint16_t)type, sizeof(struct holder_reply),
				   HOLDER_CERT_TAIL };
	struct ask a = { .done = on_reply };

	seen.calls = seen.lost = 0;
	CHECK(chan_ask(&t.asker, &a, msg, size, tail, &ask_fd, ask_fd >= 0, &want, 5000));
	while (!seen.calls)
		loop_round(&t.loop);
	CHECK(seen.result == HOLDER_DONE || !seen.product.len);
	return seen.result;
}

static void unwire(void)
{
	loop_drop(&t.loop, &t.asker.watch);
	loop_drop(&t.loop, &t.holder.watch);
	close(t.asker.watch.fd);
	close(t.holder.watch.fd);
}

/* ---- holder.tls ---- */

static size_t preimage(uint8_t *tbs, unsigned curve, uint8_t len, uint8_t lead)
{
	memset(tbs, 7, 64);
	tbs[64] = 3;
	tbs[65] = (uint8_t)(curve >> 8);
	tbs[66] = (uint8_t)curve;
	tbs[67] = len;
	memset(tbs + 68, lead, len);
	return 68 + (size_t)len;
}

static void shapes(void)
{
	uint8_t tbs[64 + 4 + 255 + 1];
	size_t p256 = preimage(tbs, 23, 65, 4);

	for (size_t n = 0; n <= p256 + 1; n++)
		CHECK(tlskey_shape((struct slice){ tbs, n }) == (n == p256));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 23, 65, 3) }));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 23, 32, 4) }));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 29, 65, 4) }));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 24, 97, 4) }));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 29, 31, 4) }));
	CHECK(!tlskey_shape((struct slice){ tbs, preimage(tbs, 29, 0, 4) }));
	CHECK(tlskey_shape((struct slice){ tbs, preimage(tbs, 29, 32, 9) }));
	tbs[64] = 1;
	CHECK(!tlskey_shape((struct slice){ tbs, 100 }));
}

static void tls_signs(void)
{
	static const struct {
		unsigned hash;
		const br_hash_class *class;
	} hashes[] = { { 4, &br_sha256_vtable },
		       { 5, &br_sha384_vtable },
		       { 6, &br_sha512_vtable } };
	uint8_t tbs[200], sum[64], mem[65];
	struct slice whole = { tbs, preimage(tbs, 29, 32, 9) };
	br_ec_public_key pub;
	br_hash_compat_context h;

	br_ec_compute_pub(&br_ec_p256_m31, &pub, mem, &tls.key);
	for (unsigned hash = 0; hash < 9; hash++) {
		struct holder_tls_sign m = { .algorithm = (uint16_t)(hash << 8 | 3) };
		bool fine = hash >= 4 && hash <= 6;

		CHECK_EQ(ask(HOLDER_TLS_SIGN, &m, sizeof m, whole),
			 fine ? HOLDER_DONE : HOLDER_REFUSED);
		if (!fine)
			continue;
		h.vtable = hashes[hash - 4].class;
		h.vtable->init(&h.vtable);
		h.vtable->update(&h.vtable, whole.p, whole.n);
		h.vtable->out(&h.vtable, sum);
		CHECK(br_ecdsa_i31_vrfy_asn1(&br_ec_p256_m31, sum,
					     hash == 4	 ? 32
					     : hash == 5 ? 48
							 : 64,
					     &pub, seen.mem, seen.product.len));
	}
	CHECK_EQ(ask(HOLDER_TLS_SIGN, &(struct holder_tls_sign){ .algorithm = 0x401 },
		     sizeof(struct holder_tls_sign), whole),
		 HOLDER_REFUSED); /* RSA: there is no such key */
	CHECK_EQ(ask(HOLDER_TLS_SIGN, &(struct holder_tls_sign){ .algorithm = 0x403 },
		     sizeof(struct holder_tls_sign), slice_head(whole, 99)),
		 HOLDER_REFUSED);
}

static void tls_holder(void)
{
	struct holder_cert m = { 0 };
	uint8_t first[HOLDER_CERT_TAIL];
	size_t n;

	tlskey_init(&tls, SLICE("mail.example.org"), 1700000000, false);
	wire(P_FRONT_SUB, tlskey_rules, &tls);
	CHECK_EQ(ask(HOLDER_CERT, &m, sizeof m, SLICE("")), HOLDER_DONE);
	n = seen.product.len;
	CHECK(n > 300 && (size_t)(seen.mem[0] << 8 | seen.mem[1]) == n - 2);
	memcpy(first, seen.mem, n);
	tls_signs();
	tlskey_init(&tls, SLICE("mail.example.org"), 1700000000, false); /* a restart */
	ask(HOLDER_CERT, &m, sizeof m, SLICE(""));
	CHECK(seen.product.len == n && !memcmp(first, seen.mem, n));
	unwire();
	tlskey_wipe(&tls);
	CHECK(tls.secret[0] == 0 && tls.secret[31] == 0);
}

/* ---- holder.srs ---- */

static unsigned ask_srs(enum holder_type type, struct slice local, struct slice domain)
{
	struct holder_srs m = { .local_len = (uint16_t)local.n };
	uint8_t mem[HOLDER_SRS_TAIL];
	struct buf b = BUF(mem);

	buf_put(&b, local);
	buf_put(&b, domain);
	return ask(type, &m, sizeof m, buf_slice(&b));
}

static void srs_holder(void)
{
	uint8_t made[64], longest[64];
	size_t n;

	memset(longest, 'x', sizeof longest);
	srskey_init(&srs, SLICE("srs.example.org"), 1);
	wire(P_CHECK_MX, srskey_rules, &srs);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE("bob"), SLICE("else.example")), HOLDER_DONE);
	n = seen.product.len;
	CHECK(n > 20 && n <= 64);
	memcpy(made, seen.mem, n);
	srskey_init(&srs, SLICE("srs.example.org"), 1); /* a restart */
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("")),
		 HOLDER_DONE);
	CHECK_SLICE(buf_slice(&seen.product), "bob@else.example");
	made[8] ^= 3;
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("")),
		 HOLDER_REFUSED);
	made[8] ^= 3;
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("x.org")),
		 HOLDER_REFUSED);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, SLICE("bob"), SLICE("")), HOLDER_REFUSED);
	/* One that does not fit goes under a name, in any case, and comes back until the next restart. */
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, (struct slice){ longest, 64 }, SLICE("a.org")),
		 HOLDER_DONE);
	n = seen.product.len;
	CHECK(n > 20 && n <= 64);
	for (size_t i = 0; i < n; i++)
		made[i] = byte_lower(seen.mem[i]);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("")),
		 HOLDER_DONE);
	CHECK(seen.product.len == 70 && !memcmp(seen.mem, longest, 64));
	memset(&srs.senders, 0, sizeof srs.senders);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("")),
		 HOLDER_REFUSED);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE("a\r\nb"), SLICE("a.org")), HOLDER_REFUSED);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE("bob"), SLICE("[192.0.2.1]")),
		 HOLDER_REFUSED);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE("bob"), SLICE("")), HOLDER_REFUSED);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE(""), SLICE("a.org")), HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_SRS_FORWARD, &(struct holder_srs){ .local_len = 9 },
		     sizeof(struct holder_srs), SLICE("short")),
		 HOLDER_REFUSED);
	unwire();
}

/* A higher number makes a new secret; those of the two numbers before it still check. */
static void srs_rotates(void)
{
	static const struct {
		uint32_t number;
		unsigned made, rows; /* the first address; what is kept */
	} steps[] = { { 1, HOLDER_DONE, 1 },   { 2, HOLDER_DONE, 2 }, { 2, HOLDER_DONE, 2 },
		      { 1, HOLDER_DONE, 2 },   { 3, HOLDER_DONE, 3 }, { 4, HOLDER_REFUSED, 3 },
		      { 9, HOLDER_REFUSED, 1 } };
	uint8_t made[64], newest[SRSKEY_OCTETS];
	size_t n = 0;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		memset(&srs, 0, sizeof srs);
		srskey_init(&srs, SLICE("srs.example.org"), steps[i].number);
		CHECK_EQ(srs.secrets.n, steps[i].rows);
		CHECK_EQ(!memcmp(newest, srs.secrets.row + 4, sizeof newest), i == 2 || i == 3);
		memcpy(newest, srs.secrets.row + 4, sizeof newest);
		wire(P_CHECK_MX, srskey_rules, &srs);
		if (!n) {
			ask_srs(HOLDER_SRS_FORWARD, SLICE("bob"), SLICE("else.example"));
			n = seen.product.len;
			memcpy(made, seen.mem, n);
		}
		CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, (struct slice){ made, n }, SLICE("")),
			 steps[i].made);
		unwire();
	}
}

/* The file of an older build: one secret, no number. */
static void srs_older_file(void)
{
	uint8_t only[SRSKEY_OCTETS];

	memset(only, 7, sizeof only);
	CHECK(keyfile_save(KEYFILE_SRS, (struct slice){ only, sizeof only }));
	srskey_init(&srs, SLICE("srs.example.org"), 1);
	CHECK(srs.secrets.n == 1 && !memcmp(srs.secrets.row + 4, only, sizeof only));
	srskey_init(&srs, SLICE("srs.example.org"), 2);
	CHECK(srs.secrets.n == 2 && memcmp(srs.secrets.row + 4, only, sizeof only));
	CHECK(!memcmp(srs.secrets.row + SRSKEY_ROW + 4, only, sizeof only));
}

/* ---- holder.dkim and keygen ---- */

static const struct slice both = SLICE("other.example example.org");

static void start(bool ed25519, struct slice domains)
{
	memset(&dkim, 0, sizeof dkim);
	dkim.rsa = !ed25519;
	dkim.ed25519 = ed25519;
	dkim.loop = &t.loop;
	dkim.selector = SLICE("sel");
	dkimkey_init(&dkim, domains, -1);
}

static int64_t noon(void)
{
	return 1700000000;
}

/* One round of keygen. */
static void keygen(bool ed25519, struct slice domains)
{
	static struct dkimlife l;

	l = (struct dkimlife){ .loop = &t.loop,
			       .now = noon,
			       .domains = domains,
			       .selector = SLICE("sel"),
			       .rsa = !ed25519,
			       .ed25519 = ed25519,
			       .bits = 2048 };
	dkimlife_init(&l);
	while (!l.round)
		loop_round(&t.loop);
	loop_drop(&t.loop, &l.timer);
	dkimlife_wipe(&l);
}

static const struct slice letter =
	SLICE("From: app@example.org\r\nTo: x@y.example\r\nSubject: hi\r\n");

static bool ask_ed; /* a= of the next request */

static unsigned ask_dkim(uint8_t slot, const char *domain, const char *selector)
{
	static const uint8_t hash[32] = { 1 };
	struct dkim_sign s = { slice_of(domain), slice_of(selector), 1700000000, hash, ask_ed };
	struct holder_dkim_sign m = { .slot = slot, .ed25519 = ask_ed, .number = 1 };
	uint8_t mem[4096];
	struct buf b = BUF(mem);

	dkim_sign_preimage(&s, letter, &b);
	CHECK(!b.bad);
	return ask(HOLDER_DKIM_SIGN, &m, sizeof m, buf_slice(&b));
}

/* The same preimage with n addresses in To:, as a memfd; `more` is added to its size. */
static unsigned ask_dkim_long(size_t n, bool seal, uint32_t more)
{
	static const uint8_t hash[32] = { 1 };
	static uint8_t text[600 * 1024], mem[600 * 1024];
	struct dkim_sign s = { SLICE("example.org"), SLICE("sel"), 1700000000, hash, false };
	struct buf h = BUF(text), b = BUF(mem);
	struct holder_dkim_long m = { .slot = 1, .number = 1 };
	unsigned result;

	buf_put(&h, SLICE("From: app@example.org\r\nTo: x@y.example"));
	while (n--)
		buf_put(&h, SLICE(",\r\n \"Somebody with a long name\" <x@y.example>"));
	buf_put(&h, SLICE("\r\n"));
	dkim_sign_preimage(&s, buf_slice(&h), &b);
	CHECK(!h.bad && !b.bad);
	m.size = (uint32_t)b.len + more;
	ask_fd = memfd_make("t");
	CHECK(memfd_append(ask_fd, 0, buf_slice(&b)) && (!seal || memfd_seal(ask_fd)));
	result = ask(HOLDER_DKIM_LONG, &m, sizeof m, SLICE(""));
	memfd_close(&ask_fd);
	return result;
}

static void dkim_long(void)
{
	CHECK_EQ(ask_dkim_long(0, true, 0), HOLDER_DONE);
	CHECK_EQ(ask_dkim_long(400, true, 0), HOLDER_DONE);
	CHECK_EQ(ask_dkim_long(10000, true, 0), HOLDER_DONE);
	CHECK_EQ(seen.product.len, 256);
	CHECK_EQ(ask_dkim_long(13000, true, 0), HOLDER_REFUSED); /* over HOLDER_LONG_MAX */
	CHECK_EQ(ask_dkim_long(400, false, 0), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim_long(400, true, 1), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim_long(400, true, (uint32_t)-1), HOLDER_REFUSED);
	ask_fd = dup(STDERR_FILENO);
	CHECK_EQ(ask(HOLDER_DKIM_LONG, &(struct holder_dkim_long){ .slot = 1, .number = 1 },
		     sizeof(struct holder_dkim_long), SLICE("")),
		 HOLDER_REFUSED);
	memfd_close(&ask_fd);
}

/* The record holds the key that verifies what was signed. */
static void record(void)
{
	uint8_t text[DKIMKEY_RECORD], der[400];
	struct buf b = BUF(text), d = BUF(der);

	dkimkey_record(&dkim.slot[dkim.slots - 1], &b);
	CHECK(!b.bad && slice_iprefix(buf_slice(&b), SLICE("v=DKIM1; k=rsa; p=")));
	CHECK(base64_get(slice_from(buf_slice(&b), 18), &d) && d.len == 294);
	CHECK(!memcmp(der + 33, dkim.slot[dkim.slots - 1].key.rsa.secret + 5 * 128, 256));
}

static unsigned ask_record(uint8_t slot, bool ed25519)
{
	struct holder_dkim_record m = { .slot = slot, .ed25519 = ed25519 };

	return ask(HOLDER_DKIM_RECORD, &m, sizeof m, SLICE(""));
}

/* Each domain's own record, and the number of its key. */
static void records(void)
{
	uint8_t mem[DKIMKEY_RECORD];
	struct buf want = BUF(mem);

	unwire();
	wire(P_SELFCHECK, dkimkey_rules, &dkim);
	dkimkey_record(&dkim.slot[1], &want);
	CHECK(ask_record(1, false) == HOLDER_DONE && seen.number == 1 &&
	      slice_eq(buf_slice(&seen.product), buf_slice(&want)));
	CHECK(ask_record(0, false) == HOLDER_DONE &&
	      !slice_eq(buf_slice(&seen.product), buf_slice(&want)));
	CHECK_EQ(ask_record(2, false), HOLDER_REFUSED);
	CHECK_EQ(ask_record(1, true), HOLDER_REFUSED);
	unwire();
	wire(P_CHECK_SUB, dkimkey_rules, &dkim);
}

static void drop(void)
{
	loop_drop(&t.loop, &dkim.timer);
	loop_drop(&t.loop, &dkim.batch);
}

enum { TOGETHER = 2 * RSA64_JOBS - 1 };

struct signing {
	struct ask ask; /* first member */
	uint8_t sum[32];
	bool right;
};

static void on_signed(struct ask *a, const void *reply, struct slice tail)
{
	static const uint8_t e[] = { 1, 0, 1 };
	struct signing *l = (struct signing *)(void *)a;
	br_rsa_public_key pk = { dkim.slot[dkim.slots - 1].key.rsa.secret + 5 * 128, 256,
				 (uint8_t *)(uintptr_t)e, sizeof e };
	uint8_t back[32];

	l->right = reply && tail.n == 256 &&
		   br_rsa_i31_pkcs1_vrfy(tail.p, tail.n, BR_HASH_OID_SHA256, sizeof back, &pk,
					 back) &&
		   !memcmp(back, l->sum, sizeof back);
	seen.calls++;
}

/* Those who ask at once are signed for together; each gets the signature of what it sent. */
static void dkim_together(void)
{
	static const struct want want = { HOLDER_DKIM_SIGN, sizeof(struct holder_reply),
					  HOLDER_SIG_MAX };
	static struct signing asked[TOGETHER];

	seen.calls = 0;
	for (uint8_t i = 0; i < TOGETHER; i++) {
		uint8_t body[32] = { i }, mem[4096];
		struct dkim_sign s = { SLICE("example.org"), SLICE("sel"), 1700000000, body,
				       false };
		struct holder_dkim_sign m = { .slot = 1, .number = 1 };
		struct buf b = BUF(mem);
		br_sha256_context h;

		dkim_sign_preimage(&s, SLICE("From: app@example.org\r\n"), &b);
		br_sha256_init(&h);
		br_sha256_update(&h, b.p, b.len);
		br_sha256_out(&h, asked[i].sum);
		asked[i].ask = (struct ask){ .done = on_signed };
		CHECK(chan_ask(&t.asker, &asked[i].ask, &m, sizeof m, buf_slice(&b), NULL, 0,
			       &want, 5000));
	}
	while (seen.calls < TOGETHER)
		loop_round(&t.loop);
	for (int i = 0; i < TOGETHER; i++)
		CHECK(asked[i].right);
	CHECK(!dkim.waiting && dkim.batch.due == LOOP_NEVER);
}

static void dkim_holder(void)
{
	struct holder_dkim_sign m = { .number = 1 };

	start(false, both);
	wire(P_CHECK_SUB, dkimkey_rules, &dkim);
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_NOT_YET);
	CHECK(!dkim.slot[0].hopeless && dkim.timer.due != LOOP_NEVER);
	keygen(false, both);
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_DONE);
	CHECK_EQ(seen.product.len, 256);
	record();
	records();
	dkim_together();
	dkim_long();
	CHECK_EQ(ask_dkim(0, "example.org", "sel"), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim(0, "other.example", "sel"), HOLDER_REFUSED); /* From: is elsewhere */
	CHECK_EQ(ask_dkim(2, "example.org", "sel"), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim(255, "example.org", "sel"), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim(1, "example.org", "les"), HOLDER_REFUSED);
	ask_ed = true;
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_REFUSED);
	ask_ed = false;
	m.slot = 1;
	CHECK_EQ(ask(HOLDER_DKIM_SIGN, &m, sizeof m, SLICE("anything")), HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_DKIM_SIGN, &m, sizeof m, SLICE("")), HOLDER_REFUSED);
	CHECK_EQ(dkim.slot[1].key.rsa.fast, !ON(CONFIG_KEYS_RSA_BEARSSL) && mont64_kernel(0));
	/* A fault in one half of the CRT: the other code steps in, for good. */
	dkim.slot[1].key.rsa.rsa64.dp[9] ^= 1;
	dkim.slot[1].key.rsa.rsa64.wide.e[0][9] ^= 1;
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_DONE);
	CHECK(!dkim.slot[1].key.rsa.fast);
	dkim_together();
	dkim.slot[dkim.slots - 1].key.rsa.secret[2 * 128 + 9] ^= 1; /* and in that one */
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_REFUSED);
	unwire();
	drop();
}

/* The second call of keygen leaves the key alone and mends the lost copy. */
static void keygen_again(void)
{
	uint8_t old[7 * 128];

	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].known);
	memcpy(old, dkim.slot[dkim.slots - 1].key.rsa.secret, sizeof old);
	drop();
	CHECK(!unlink("b/dkim/example.org"));
	keygen(false, both);
	CHECK(!access("b/dkim/example.org", F_OK) && !unlink("a/dkim/example.org"));
	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].known &&
	      !memcmp(old, dkim.slot[dkim.slots - 1].key.rsa.secret, sizeof old));
	drop();
}

/* The signature verifies with the key of the record, over the hash of the preimage (RFC 8463 3). */
static void ed_signature(void)
{
	static const uint8_t hash[32] = { 1 };
	struct dkim_sign s = { SLICE("example.org"), SLICE("sel"), 1700000000, hash, true };
	uint8_t text[DKIMKEY_RECORD], mem[4096], sum[32];
	struct buf r = BUF(text), b = BUF(mem);
	struct dkim_key k;
	br_sha256_context h;

	dkimkey_record(&dkim.slot[dkim.slots - 1], &r);
	CHECK(dkim_key_parse(buf_slice(&r), &k) == DKIM_KEY_OK && k.ed25519);
	dkim_sign_preimage(&s, letter, &b);
	br_sha256_init(&h);
	br_sha256_update(&h, b.p, b.len);
	br_sha256_out(&h, sum);
	CHECK_EQ(seen.product.len, DKIMED_SIGNATURE);
	CHECK(!crypto_sign_ed25519_verify_detached(seen.mem, sum, sizeof sum, k.modulus));
}

/* On the disk of an RSA key: a key of its own beside it, and each configuration finds its own. */
static void ed_holder(void)
{
	uint8_t rsa[7 * 128];

	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].known);
	memcpy(rsa, dkim.slot[dkim.slots - 1].key.rsa.secret, sizeof rsa);
	drop();
	start(true, both);
	wire(P_CHECK_SUB, dkimkey_rules, &dkim);
	ask_ed = true;
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_NOT_YET);
	CHECK(!dkim.slot[0].hopeless && !keyfile_there(KEYFILE_ED25519, "example.org"));
	keygen(true, both);
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_DONE);
	ed_signature();
	CHECK_EQ(ask_dkim(0, "example.org", "sel"), HOLDER_REFUSED);
	CHECK_EQ(ask_dkim(1, "example.org", "les"), HOLDER_REFUSED);
	ask_ed = false;
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_REFUSED);
	ask_ed = true;
	dkim.slot[1].key.ed.pair[9] ^= 1; /* a fault */
	CHECK_EQ(ask_dkim(1, "example.org", "sel"), HOLDER_REFUSED);
	unwire();
	drop();
	ask_ed = false;
	CHECK(!unlink("b/ed25519/example.org"));
	keygen(true, both); /* mends */
	CHECK(!access("b/ed25519/example.org", F_OK));
	keygen(false, both);
	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].known &&
	      !memcmp(rsa, dkim.slot[dkim.slots - 1].key.rsa.secret, sizeof rsa));
	CHECK(keyfile_there(KEYFILE_ED25519, "example.org") &&
	      keyfile_there(KEYFILE_DKIM, "example.org"));
	drop();
}

static size_t file_get(const char *path, uint8_t *out, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, out, cap);

	CHECK(n > 0);
	close(fd);
	return (size_t)n;
}

/* The file of one kind in the folder of the other, or too little content: not taken, and not written over. */
static void ed_confused(void)
{
	uint8_t was[KEYFILE_MAX], is[KEYFILE_MAX];
	size_t n;

	CHECK(!unlink("b/ed25519/example.org") && !unlink("a/ed25519/example.org"));
	CHECK(!link("a/dkim/example.org", "a/ed25519/example.org"));
	for (int round = 0; round < 2; round++) {
		CHECK(!round || keyfile_save_as(KEYFILE_ED25519, "example.org",
						SLICE("thirty-one octets are no seed..")));
		n = file_get("a/ed25519/example.org", was, sizeof was);
		keygen(true, both);
		start(true, SLICE("example.org"));
		CHECK(!dkim.slot[0].known && dkim.slot[0].hopeless);
		drop();
		CHECK(file_get("a/ed25519/example.org", is, sizeof is) == n &&
		      !memcmp(was, is, n));
	}
	dkimkey_wipe(&dkim);
	CHECK(sodium_is_zero((uint8_t *)dkim.slot, sizeof *dkim.slot));
}

/* Without a key device, and with a damaged file: forwarding has its secrets, submission waits for good. */
static void nothing_to_keep(void)
{
	uint8_t first[32];

	CHECK(!mkdir("empty", 0700) && !chdir("empty"));
	tlskey_init(&tls, SLICE("a.b"), 1700000000, false);
	memcpy(first, tls.secret, 32);
	tlskey_init(&tls, SLICE("a.b"), 1700000000, false);
	CHECK(tls.chain.n && memcmp(first, tls.secret, 32));
	srskey_init(&srs, SLICE("a.b"), 1);
	keygen(false, both);
	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].hopeless);
	wire(P_CHECK_SUB, dkimkey_rules, &dkim);
	CHECK_EQ(ask_dkim(0, "example.org", "sel"), HOLDER_NOT_YET);
	unwire();
	drop();
	CHECK(!mkdir("a", 0700) && !mkdir("a/dkim", 0700) &&
	      !mkdir("a/dkim/example.org", 0700));
	keygen(false, both);
	start(false, SLICE("example.org"));
	CHECK(dkim.slot[0].hopeless);
	drop();
}

/* Addresses of before are good again when the file is: until then nobody is told that they are forged. */
static void srs_damaged(void)
{
	CHECK(!mkdir("a/srs", 0700) && !mkdir("a/srs/key", 0700));
	srskey_init(&srs, SLICE("srs.example.org"), 1);
	wire(P_CHECK_MX, srskey_rules, &srs);
	CHECK_EQ(ask_srs(HOLDER_SRS_FORWARD, SLICE("bob"), SLICE("else.example")), HOLDER_DONE);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, buf_slice(&seen.product), SLICE("")), HOLDER_DONE);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, SLICE("SRS0=abcdefghijkl=AA=else.example=bob"),
			 SLICE("")),
		 HOLDER_NOT_YET);
	CHECK_EQ(ask_srs(HOLDER_SRS_REVERSE, SLICE("bob"), SLICE("")), HOLDER_REFUSED);
	unwire();
}

int main(void)
{
	static const char *const folders[] = { "a",	    "b",	"a/tls",  "b/tls",
					       "a/srs",	    "b/srs",	"a/dkim", "b/dkim",
					       "a/ed25519", "b/ed25519" };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		CHECK(!mkdir(folders[i], 0700));
	loop_init(&t.loop, 64); /* places come back with the next round */
	shapes();
	tls_holder();
	srs_holder();
	srs_rotates();
	srs_older_file();
	dkim_holder();
	keygen_again();
	ed_holder();
	ed_confused();
	nothing_to_keep();
	srs_damaged();
	TEST_END();
}
