/* SPDX-License-Identifier: ISC */
#include "keys/holder/selfsign.h"

#include "keys/holder/keyrand.h"
#include "tests/unit/test.h"

static br_ec_private_key key;
static uint8_t secret[32];

static void first(void *ctx, const void *data, size_t n)
{
	buf_put(ctx, (struct slice){ data, n });
}

/* BearSSL's own X.509 code, with the certificate as its own anchor, judges name, time and signature. */
static unsigned verify(struct slice der, const char *name, uint32_t days)
{
	static br_x509_decoder_context dec;
	static br_x509_minimal_context mc;
	uint8_t dn[256];
	struct buf b = BUF(dn);
	br_x509_trust_anchor ta = { .flags = BR_X509_TA_CA };
	const br_x509_pkey *pk;

	br_x509_decoder_init(&dec, first, &b);
	br_x509_decoder_push(&dec, der.p, der.n);
	pk = br_x509_decoder_get_pkey(&dec);
	CHECK(pk && !br_x509_decoder_isCA(&dec));
	CHECK_EQ(br_x509_decoder_get_signer_key_type(&dec), BR_KEYTYPE_EC);
	ta.dn = (br_x500_name){ dn, b.len };
	ta.pkey = *pk;
	br_x509_minimal_init(&mc, &br_sha256_vtable, &ta, 1);
	br_x509_minimal_set_hash(&mc, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_ecdsa(&mc, &br_ec_p256_m31, br_ecdsa_i31_vrfy_asn1);
	br_x509_minimal_set_time(&mc, days, 0);
	mc.vtable->start_chain(&mc.vtable, name);
	mc.vtable->start_cert(&mc.vtable, (uint32_t)der.n);
	mc.vtable->append(&mc.vtable, der.p, der.n);
	mc.vtable->end_cert(&mc.vtable);
	return mc.vtable->end_chain(&mc.vtable);
}

static void names(void)
{
	static const char *const hosts[] = {
		"mail.example.org",
		"a.b",
		"a-name-of-more-than-64-octets.that-is-still-a-name.for-dns.example.org",
	};
	const int64_t day = 86400, from = 20000 * day;

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		uint8_t a[SELFSIGN_MAX], b[SELFSIGN_MAX];
		struct buf one = BUF(a), two = BUF(b);

		selfsign_put(&key, slice_of(hosts[i]), from, &one);
		selfsign_put(&key, slice_of(hosts[i]), from, &two);
		CHECK(!one.bad && slice_eq(buf_slice(&one), buf_slice(&two)));
		/* Days since year 0, as BearSSL counts. */
		CHECK_EQ(verify(buf_slice(&one), hosts[i], 719528 + 20000), 0);
		CHECK_EQ(verify(buf_slice(&one), hosts[i], 719528 + 20000 + 3650), 0);
		CHECK_EQ(verify(buf_slice(&one), hosts[i], 719528 + 20000 + 3660),
			 BR_ERR_X509_EXPIRED);
		CHECK_EQ(verify(buf_slice(&one), hosts[i], 719528 + 19999),
			 BR_ERR_X509_EXPIRED);
		CHECK_EQ(verify(buf_slice(&one), "other.example.org", 719528 + 20000),
			 BR_ERR_X509_BAD_SERVER_NAME);
		a[one.len - 5] ^= 1;
		CHECK(verify(buf_slice(&one), hosts[i], 719528 + 20000) != 0);
	}
}

/* One certificate for several: each of them, and no other; a stranger to the first changes its number. */
static void several(void)
{
	uint8_t a[SELFSIGN_MAX], c[SELFSIGN_MAX];
	struct buf b = BUF(a), d = BUF(c);
	const uint32_t today = 719528 + 20000;

	selfsign_put(&key, SLICE("mx.example.org imap.example.net"), 20000 * 86400ll, &b);
	selfsign_put(&key, SLICE("mx.example.org"), 20000 * 86400ll, &d);
	CHECK(!b.bad && memcmp(a + 10, c + 10, 16) != 0);
	CHECK_EQ(verify(buf_slice(&b), "mx.example.org", today), 0);
	CHECK_EQ(verify(buf_slice(&b), "imap.example.net", today), 0);
	CHECK_EQ(verify(buf_slice(&b), "mx.example.org imap.example.net", today),
		 BR_ERR_X509_BAD_SERVER_NAME);
	CHECK_EQ(verify(buf_slice(&d), "imap.example.net", today), BR_ERR_X509_BAD_SERVER_NAME);
}

static void late(void)
{
	uint8_t a[SELFSIGN_MAX];
	struct buf b = BUF(a);

	selfsign_put(&key, SLICE("a.b"), 2500000000, &b); /* 2049 to 2059 */
	CHECK(!b.bad);
	CHECK_EQ(verify(buf_slice(&b), "a.b", 719528 + 2500000000u / 86400 + 3000), 0);
	b = BUF(a);
	selfsign_put(&key, SLICE("a.b"), INT64_MAX, &b);
	CHECK(b.bad);
	b = (struct buf){ .p = a, .cap = 300 };
	selfsign_put(&key, SLICE("a.b"), 0, &b);
	CHECK(b.bad);
}

int main(void)
{
	br_hmac_drbg_context rng;

	keyrand_init(&rng);
	CHECK(br_ec_keygen(&rng.vtable, &br_ec_p256_m31, &key, secret, BR_EC_secp256r1) == 32);
	names();
	several();
	late();
	TEST_END();
}
