/* SPDX-License-Identifier: ISC */
#include "keys/auth/scram.h"

#include <sodium.h>

#include "smtpd/proto/base64.h"
#include "tests/unit/scramclient.h"
#include "tests/unit/test.h"

static const uint8_t here[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, there[16] = { 1 };
static struct scram_secret secret = { { 9 } };
static struct scram_keys keys;

/* RFC 7677 3: salt, iterations, messages, proof and signature. */
static void vector(void)
{
	static const struct slice all =
		SLICE("n=user,r=rOprNGfwEbeRWgbNEkqO,"
		      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		      "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	uint8_t salt[16], sum[32], got[64], text[SCRAM_TEXT];
	struct buf b = BUF(salt), p = BUF(got), t = BUF(text);
	struct scram_keys again;

	CHECK(base64_get(SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), &b) && b.len == SCRAM_SALT);
	keys = (struct scram_keys){ .iterations = 4096, .salt_n = SCRAM_SALT };
	memcpy(keys.salt, salt, sizeof salt);
	scram_keys_make(&keys, SLICE("pencil"));
	scramclient_proof(&keys, SLICE("pencil"), all, sum);
	base64_put(&p, (struct slice){ sum, 32 });
	CHECK_SLICE(buf_slice(&p), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	p.len = 0;
	crypto_auth_hmacsha256(sum, all.p, all.n, keys.server);
	base64_put(&p, (struct slice){ sum, 32 });
	CHECK_SLICE(buf_slice(&p), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	scram_keys_put(&keys, &t);
	CHECK(scram_keys_get(buf_slice(&t), &again));
	CHECK(!memcmp(&again, &keys, sizeof keys));
}

#define B32  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEYS "$" B32 ":" B32

static void stored(void)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "SCRAM-SHA-256$4096:AAAA" KEYS, true },
		{ "SCRAM-SHA-256$65536:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" KEYS, true },
		{ "SCRAM-SHA-256$4095:AAAA" KEYS, false },
		{ "SCRAM-SHA-256$65537:AAAA" KEYS, false },
		{ "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" KEYS, false },
		{ "SCRAM-SHA-256$4096:" KEYS, false },
		{ "SCRAM-SHA-256$:AAAA" KEYS, false },
		{ "scram-sha-256$4096:AAAA" KEYS, false },
		{ "SCRAM-SHA-1$4096:AAAA" KEYS, false },
		{ "SCRAM-SHA-256$4096:AAAA$" B32, false },
		{ "SCRAM-SHA-256$4096:AAAA$" B32 ":AAAA", false },
		{ "SCRAM-SHA-256$4096:AAAA$AAAA:" B32, false },
		{ "SCRAM-SHA-256$4096:AAAA" KEYS ":", false },
		{ "", false },
	};
	struct scram_keys k;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK_ROW(scram_keys_get(slice_of(rows[i].text), &k) == rows[i].ok,
			  rows[i].text);
}

static void firsts(void)
{
	static const struct {
		const char *text, *user; /* NULL: refused */
	} rows[] = {
		{ "n,,n=app1,r=x", "app1" },
		{ "y,,n=app1,r=x", "app1" },
		{ "n,a=app1,n=app1,r=x", "app1" },
		{ "n,,n=a=2Cb=3Dc,r=x", "a,b=c" },
		{ "n,a=a=2Cb,n=a=2Cb,r=x", "a,b" },
		{ "n,,n=app1,r=x,ext=1", "app1" },
		{ "n,a=other,n=app1,r=x", NULL },
		{ "n,app1,n=app1,r=x", NULL },
		{ "p=tls-unique,,n=app1,r=x", NULL },
		{ "N,,n=app1,r=x", NULL },
		{ "n,,m=1,n=app1,r=x", NULL },
		{ "n,,N=app1,r=x", NULL },
		{ "n,,n=app1,r=", NULL },
		{ "n,,n=app1,r=x y", NULL },
		{ "n,,n=app1", NULL },
		{ "n,,n=,r=x", NULL },
		{ "n,,n=a=2cb,r=x", NULL },
		{ "n,,n=a=,r=x", NULL },
		{ "n,,n=a=2,r=x", NULL },
		{ "n=app1,r=x", NULL },
		{ ",,n=app1,r=x", NULL },
		{ "", NULL },
	};
	struct scram_first f;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool ok = scram_first_get(slice_of(rows[i].text), &f);

		CHECK_ROW(ok == !!rows[i].user, rows[i].text);
		if (ok)
			CHECK_ROW(slice_eq((struct slice){ f.user, f.user_n },
					   slice_of(rows[i].user)),
				  rows[i].text);
	}
}

static void long_name(void)
{
	uint8_t mem[100];
	struct buf b = BUF(mem);
	struct scram_first f;

	buf_put(&b, SLICE("n,,n="));
	for (int i = 0; i < AUTH_USER_MAX; i++)
		buf_u8(&b, 'a');
	buf_put(&b, SLICE(",r=x"));
	CHECK(scram_first_get(buf_slice(&b), &f) && f.user_n == AUTH_USER_MAX);
	b.len -= 4;
	buf_put(&b, SLICE("a,r=x"));
	CHECK(!scram_first_get(buf_slice(&b), &f));
}

static struct slice first = { NULL, 0 };
static uint8_t server_mem[AUTH_SCRAM_TEXT_MAX];
static struct slice server;

static void begin(const char *text, int64_t now)
{
	struct buf b = BUF(server_mem);

	first = slice_of(text);
	scram_first_put(&secret, here, first, now, &keys, &b);
	CHECK(!b.bad);
	server = buf_slice(&b);
}

static bool ends(const uint8_t peer[16], struct slice client_first, struct slice final,
		 int64_t now)
{
	uint8_t mem[AUTH_SCRAM_SERVER];
	struct buf out = BUF(mem);
	bool ok = scram_final(&secret, peer, client_first, final, now, &keys, &out);

	CHECK(ok == (out.len == AUTH_SCRAM_SERVER) && ok == !!out.len);
	return ok;
}

static void exchange(void)
{
	uint8_t mem[AUTH_SCRAM_FINAL_MAX], other[AUTH_SCRAM_FINAL_MAX];
	struct buf b = BUF(mem), o = BUF(other);
	struct slice final;

	begin("n,,n=user,r=abc", 1000);
	CHECK(slice_iprefix(server, SLICE("r=abc")) &&
	      slice_iends(server, SLICE(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	scramclient_final(&keys, SLICE("pencil"), first, server, &b);
	final = buf_slice(&b);
	CHECK(ends(here, first, final, 1000));
	CHECK(ends(here, first, final, 1000 + SCRAM_LIFE_MS - 1));
	CHECK(!ends(here, first, final, 1000 + SCRAM_LIFE_MS));
	CHECK(!ends(here, first, final, 999));
	CHECK(!ends(there, first, final, 1000));
	CHECK(!ends(here, SLICE("n,,n=user,r=abcd"), final, 1000));
	CHECK(!ends(here, SLICE("y,,n=user,r=abc"), final, 1000)); /* another binding */
	for (size_t i = 0; i < 8 * b.len; i++) {
		mem[i / 8] ^= (uint8_t)(1u << i % 8);
		CHECK(!ends(here, first, final, 1000));
		mem[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t n = 0; n < b.len; n++)
		CHECK(!ends(here, first, slice_head(final, n), 1000));
	scramclient_final(&keys, SLICE("pencil2"), first, server, &o);
	CHECK(!ends(here, first, buf_slice(&o), 1000));
	secret.key[0]++; /* another process */
	CHECK(!ends(here, first, final, 1000));
	begin("n,,n=user,r=abc", 1000);
	CHECK(!ends(here, first, final, 1000)); /* no nonce serves twice */
	begin("y,a=user,n=user,r=abc", 5);
	b.len = 0;
	scramclient_final(&keys, SLICE("pencil"), first, server, &b);
	CHECK(ends(here, first, buf_slice(&b), 5));
}

int main(void)
{
	vector();
	stored();
	firsts();
	long_name();
	exchange();
	TEST_END();
}
