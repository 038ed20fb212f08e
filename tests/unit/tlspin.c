/* SPDX-License-Identifier: ISC */
/* Chains judged by pins, as the client judges them; and one handshake. */
#include "smtpd/lib/tlspin.h"

#include "smtpd/lib/tls.h"
#include "tests/unit/issue.h"

static struct tls client, server;
static struct tls_pinned engine;
static struct cert root, mid, leaf;
static struct issued rootc, midc, leafc, stray;
static struct tls_pins pins;

static struct slice key_of(const struct cert *c, struct buf *b)
{
	b->len = 0;
	put_ec(b, c);
	return buf_slice(b);
}

static void pin(enum tls_pin_use use, bool key, bool sha512, struct slice object)
{
	struct tls_pin *p = &pins.pin[pins.n++];
	br_sha512_context h;

	*p = (struct tls_pin){ .use = use, .key = key, .sha512 = sha512 };
	if (!sha512) {
		cert_hash(object, p->sum);
		return;
	}
	br_sha512_init(&h);
	br_sha512_update(&h, object.p, object.n);
	br_sha512_out(&h, p->sum);
}

/* Pieces of 7 octets: hashes and the way to the key go on across them. */
static unsigned judge(const char *host, const struct issued *const *chain)
{
	const br_x509_class **x = &engine.vtable;

	tls_client_pinned(&client, &engine, &pins, host);
	(*x)->start_chain(x, host);
	for (; *chain; chain++) {
		struct slice der = buf_slice(&(*chain)->der);

		(*x)->start_cert(x, (uint32_t)der.n);
		for (; der.n; der = slice_from(der, 7))
			(*x)->append(x, der.p, der.n < 7 ? der.n : 7);
		(*x)->end_cert(x);
	}
	return (*x)->end_chain(x);
}

static const br_x509_pkey *key(void)
{
	const br_x509_class **x = &engine.vtable;
	unsigned usages = 0;
	const br_x509_pkey *k = (*x)->get_pkey((const br_x509_class *const *)x, &usages);

	return usages & BR_KEYTYPE_SIGN ? k : NULL;
}

static bool is_leaf(void)
{
	const br_x509_pkey *k = key();

	return k && k->key.ec.qlen == 65 && memcmp(k->key.ec.q, leaf.point, 65) == 0;
}

#define CHAIN(...) ((const struct issued *const[]){ __VA_ARGS__, NULL })

static void issue_all(void)
{
	uint8_t mem[256];
	struct buf b = BUF(mem);

	cert_make(&root, "root");
	cert_make(&mid, "mid");
	cert_make(&leaf, "leaf");
	issue(&rootc, &root, "root", "root", key_of(&root, &b), true);
	issue(&midc, &root, "root", "mid", key_of(&mid, &b), true);
	issue(&leafc, &mid, "mid", "mx.example", key_of(&leaf, &b), false);
	issue(&stray, &leaf, "x", "y", key_of(&leaf, &b), false);
}

/* The server's own: name, issuer and what else is sent do not matter. */
static void end_entity(void)
{
	uint8_t mem[256];
	struct buf b = BUF(mem);

	for (int kind = 0; kind < 4; kind++) {
		pins.n = 0;
		pin(TLS_PIN_EE, kind & 1, kind & 2,
		    kind & 1 ? key_of(&leaf, &b) : buf_slice(&leafc.der));
		CHECK_EQ(judge("other.example", CHAIN(&leafc)), 0);
		CHECK(is_leaf());
		CHECK_EQ(judge("other.example", CHAIN(&leafc, &stray, &rootc)), 0);
		CHECK(is_leaf());
		CHECK(judge("mx.example", CHAIN(&midc, &leafc)) != 0); /* not the first */
		pins.pin[0].sum[31] ^= 1;
		CHECK(judge("mx.example", CHAIN(&leafc, &midc, &rootc)) != 0);
		pins.pin[0].sum[31] ^= 1;
		pins.pin[0].key ^= true;
		CHECK(judge("mx.example", CHAIN(&leafc)) != 0);
	}
	pins.n = 0;
	pin(TLS_PIN_EE, true, false, key_of(&root, &b)); /* an old key, kept for a while */
	pin(TLS_PIN_EE, true, false, key_of(&leaf, &b));
	CHECK_EQ(judge("mx.example", CHAIN(&leafc)), 0);
	/* an authority's digest under the server's use */
	pins.n = 0;
	pin(TLS_PIN_EE, false, false, buf_slice(&midc.der));
	CHECK(judge("mx.example", CHAIN(&leafc, &midc)) != 0);
}

static void authority(void)
{
	uint8_t mem[256];
	struct buf b = BUF(mem);

	pins.n = 0;
	pin(TLS_PIN_TA, false, false, buf_slice(&midc.der));
	CHECK_EQ(judge("mx.example", CHAIN(&leafc, &midc)), 0);
	CHECK(is_leaf());
	CHECK_EQ(judge("mx.example", CHAIN(&leafc, &midc, &stray)), 0);
	CHECK(is_leaf());
	CHECK_EQ(judge("other.example", CHAIN(&leafc, &midc)), BR_ERR_X509_BAD_SERVER_NAME);
	CHECK(judge("mx.example", CHAIN(&leafc)) != 0);		       /* not sent along */
	CHECK(judge("mx.example", CHAIN(&leafc, &rootc, &midc)) != 0); /* out of order */
	CHECK(judge("mx.example", CHAIN(&midc)) != 0);
	pins.n = 0;
	pin(TLS_PIN_TA, true, true, key_of(&root, &b));
	CHECK_EQ(judge("mx.example", CHAIN(&leafc, &midc, &rootc)), 0);
	CHECK(is_leaf());
	CHECK_EQ(judge("mx.example", CHAIN(&leafc, &midc)), BR_ERR_X509_NOT_TRUSTED);
	/* the pinned certificate is there, but did not sign */
	issue(&stray, &leaf, "mid", "mx.example", key_of(&leaf, &b), false);
	CHECK_EQ(judge("mx.example", CHAIN(&stray, &midc, &rootc)), BR_ERR_X509_BAD_SIGNATURE);
	/* nor does it help to pin the server's own certificate as an authority */
	pins.n = 0;
	pin(TLS_PIN_TA, false, false, buf_slice(&leafc.der));
	CHECK(judge("mx.example", CHAIN(&leafc, &midc, &rootc)) != 0);
	pins.n = 0;
	CHECK(judge("mx.example", CHAIN(&leafc, &midc, &rootc)) != 0); /* no pins, no trust */
}

static void carry(struct tls *a, struct tls *b)
{
	struct slice tx = tls_tx(a);
	struct buf rx = tls_rx(b);
	size_t n = tx.n < rx.cap ? tx.n : rx.cap;

	if (!n)
		return;
	memcpy(rx.p, tx.p, n);
	tls_tx_done(a, n);
	tls_rx_done(b, n);
}

/* The key of the certificate is the one that signs the exchange: having the right certificate is not enough. */
static enum tls_state shake(void)
{
	struct buf none[4] = { { .p = NULL } };
	enum tls_state c = TLS_BUSY;

	tls_client_pinned(&client, &engine, &pins, "anything.example");
	tls_server(&server, &root.id);
	for (int i = 0; i < 20 && c == TLS_BUSY; i++) {
		c = tls_step(&client, &none[0], &none[1]);
		carry(&client, &server);
		tls_step(&server, &none[2], &none[3]);
		carry(&server, &client);
	}
	return c;
}

static void handshake(void)
{
	uint8_t mem[256];
	struct buf b = BUF(mem);

	pins.n = 0;
	pin(TLS_PIN_EE, true, false, key_of(&root, &b));
	CHECK_EQ(shake(), TLS_UP);
	pins.n = 0;
	pin(TLS_PIN_EE, true, false, key_of(&leaf, &b));
	CHECK_EQ(shake(), TLS_FAILED);
	CHECK(strcmp(tls_why(&client), "certificate chain ends at no trust anchor") == 0 ||
	      strcmp(tls_why(&client), "certificate is for another name") == 0);
	pins.n = 0;
	pin(TLS_PIN_EE, false, false, (struct slice){ root.der, root.n });
	root.sk = leaf.sk;
	CHECK_EQ(shake(), TLS_FAILED);
}

int main(void)
{
	issue_all();
	end_entity();
	authority();
	handshake();
	TEST_END();
}
