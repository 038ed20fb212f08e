/* SPDX-License-Identifier: ISC */
/* What acme asks of holder.acme and holder.tls. */
#define _GNU_SOURCE
#include "keys/holder/acctkey.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/topology.h"
#include "keys/holder/tlskey.h"
#include "smtpd/proto/base64.h"
#include "smtpd/proto/certinfo.h"
#include "smtpd/proto/der.h"
#include "tests/unit/test.h"

static struct loop loop;
static struct chan asker, holder;
static uint8_t rx[2][MSG_MAX], product_mem[HOLDER_JWS_MAX];
static struct buf product;
static unsigned result, calls;
static struct acctkey account_key;
static struct tlskey tls, other; /* with another key */

static void on_reply(struct ask *a, const void *reply, struct slice tail)
{
	const struct holder_reply *r = reply;

	(void)a;
	calls++;
	result = r ? r->result : 99;
	product = BUF(product_mem);
	buf_put(&product, tail);
}

static void wire(const struct rule *rules, void *ctx, enum proc_id from)
{
	int pair[2];

	loop_drop(&loop, &asker.watch);
	loop_drop(&loop, &holder.watch);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	chan_init(&asker, &loop, P_HOLDER_TLS, 2, rx[0]);
	chan_init(&holder, &loop, from, 2, rx[1]);
	holder.rules = rules;
	holder.nrules = HOLDER_TYPES;
	holder.ctx = ctx;
	chan_wire(&asker, pair[0], 1);
	chan_wire(&holder, pair[1], 1);
}

static unsigned ask(enum holder_type type, void *msg, size_t size, struct slice tail)
{
	const struct want want = { (uint16_t)type, sizeof(struct holder_reply),
				   HOLDER_JWS_MAX };
	struct ask a = { .done = on_reply };

	calls = 0;
	CHECK(chan_ask(&asker, &a, msg, size, tail, NULL, 0, &want, 5000));
	while (!calls)
		loop_round(&loop);
	return result;
}

/* ---- requests under the account's key ---- */

static unsigned request(const char *url, const char *nonce, const char *account,
			const char *payload)
{
	static uint8_t mem[HOLDER_ACME_TAIL];
	struct buf b = BUF(mem);
	struct holder_acme_request m = { .url_len = (uint16_t)strlen(url),
					 .nonce_len = (uint16_t)strlen(nonce),
					 .account_len = (uint16_t)strlen(account) };

	buf_put(&b, slice_of(url));
	buf_put(&b, slice_of(nonce));
	buf_put(&b, slice_of(account));
	buf_put(&b, slice_of(payload));
	return ask(HOLDER_ACME_REQUEST, &m, sizeof m, buf_slice(&b));
}

static bool from_url(struct slice in, struct buf *out)
{
	int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	size_t n;

	if (sodium_base642bin(out->p, out->cap, (const char *)in.p, in.n, NULL, &n, NULL,
			      variant))
		return false;
	out->len = n;
	return true;
}

/* The value of a member whose name is this, as it stands. */
static struct slice member(struct slice json, const char *name)
{
	const uint8_t *p = memmem(json.p, json.n, name, strlen(name));
	struct slice rest = { NULL, 0 };

	CHECK(p != NULL);
	if (p)
		rest = slice_from(json, (size_t)(p - json.p) + strlen(name) + 3);
	return slice_head(rest, slice_find(rest, '"'));
}

static bool signed_well(struct slice jws)
{
	static uint8_t tbs_mem[HOLDER_JWS_MAX];
	struct buf tbs = BUF(tbs_mem), sig;
	uint8_t sig_mem[80], sum[32];
	br_ec_public_key pub = { BR_EC_secp256r1, account_key.point, sizeof account_key.point };
	br_sha256_context h;

	sig = BUF(sig_mem);
	buf_put(&tbs, member(jws, "protected"));
	buf_u8(&tbs, '.');
	buf_put(&tbs, member(jws, "payload"));
	br_sha256_init(&h);
	br_sha256_update(&h, tbs.p, tbs.len);
	br_sha256_out(&h, sum);
	return from_url(member(jws, "signature"), &sig) && sig.len == 64 &&
	       br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, sum, sizeof sum, &pub, sig.p, sig.len);
}

static const char *decoded(struct slice in)
{
	static char text[4096];
	struct buf b = { .p = (uint8_t *)text, .cap = sizeof text - 1 };

	CHECK(from_url(in, &b));
	text[b.len] = 0;
	return text;
}

static void requests(void)
{
	static char longest[HOLDER_PAYLOAD_MAX + 2];
	struct holder_acme_request whole = { .url_len = 9, .nonce_len = 9 };
	const char *url = "https://ca.example/x";

	CHECK_EQ(request(url, "no-nce_1", "https://ca.example/a", "{\"a\":1}"), HOLDER_DONE);
	CHECK(signed_well(buf_slice(&product)));
	CHECK(!strcmp(decoded(member(buf_slice(&product), "protected")),
		      "{\"alg\":\"ES256\",\"kid\":\"https://ca.example/a\","
		      "\"nonce\":\"no-nce_1\",\"url\":\"https://ca.example/x\"}"));
	CHECK(!strcmp(decoded(member(buf_slice(&product), "payload")), "{\"a\":1}"));
	CHECK_EQ(request(url, "n", "https://ca.example/a", ""), HOLDER_DONE);
	CHECK(!member(buf_slice(&product), "payload").n && signed_well(buf_slice(&product)));
	/* what is no such request */
	CHECK_EQ(request("http://ca.example/x", "n", "https://a/", ""), HOLDER_REFUSED);
	CHECK_EQ(request("https://ca.example/\"", "n", "https://a/", ""), HOLDER_REFUSED);
	CHECK_EQ(request("https://ca.example/\\", "n", "https://a/", ""), HOLDER_REFUSED);
	CHECK_EQ(request(url, "", "https://a/", ""), HOLDER_REFUSED);
	CHECK_EQ(request(url, "n\"", "https://a/", ""), HOLDER_REFUSED);
	CHECK_EQ(request(url, "n", "a", ""), HOLDER_REFUSED);
	CHECK_EQ(request(url, "n", "", "{}"), HOLDER_REFUSED); /* newAccount is ours */
	CHECK_EQ(ask(HOLDER_ACME_REQUEST, &whole, sizeof whole, SLICE("https://x")),
		 HOLDER_REFUSED);
	CHECK(!product.len);
	memset(longest, 'x', HOLDER_PAYLOAD_MAX + 1);
	CHECK_EQ(request(url, "n", "https://a/", longest), HOLDER_REFUSED);
	longest[HOLDER_PAYLOAD_MAX] = 0;
	CHECK_EQ(request(url, "n", "https://a/", longest), HOLDER_DONE);
}

/* RFC 8555 7.3.4: the MAC is the authority's key over our own. */
static void new_account(bool bound)
{
	struct slice jws, inner, mac_text;
	uint8_t mac[32], tbs_mem[2048], want_mem[64];
	struct buf tbs = BUF(tbs_mem), want = BUF(want_mem);
	br_hmac_key_context k;
	br_hmac_context h;

	CHECK_EQ(request("https://ca.example/new", "n", "", ""), HOLDER_DONE);
	jws = buf_slice(&product);
	CHECK(signed_well(jws));
	CHECK(strstr(decoded(member(jws, "protected")),
		     "\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""));
	CHECK(!strstr(decoded(member(jws, "protected")), "\"kid\""));
	inner = slice_of(decoded(member(jws, "payload")));
	CHECK(slice_iprefix(inner, SLICE("{\"termsOfServiceAgreed\":true")));
	CHECK((memmem(inner.p, inner.n, "externalAccountBinding", 22) != NULL) == bound);
	if (!bound)
		return;
	buf_put(&tbs, member(inner, "protected"));
	buf_u8(&tbs, '.');
	buf_put(&tbs, member(inner, "payload"));
	mac_text = member(inner, "signature");
	br_hmac_key_init(&k, &br_sha256_vtable, "\0secret", 7);
	br_hmac_init(&h, &k, 0);
	br_hmac_update(&h, tbs.p, tbs.len);
	br_hmac_out(&h, mac);
	base64_put_url(&want, (struct slice){ mac, sizeof mac });
	CHECK(slice_eq(mac_text, buf_slice(&want)));
	CHECK(!strcmp(
		decoded(slice_head(buf_slice(&tbs), slice_find(buf_slice(&tbs), '.'))),
		"{\"alg\":\"HS256\",\"kid\":\"id-1\",\"url\":\"https://ca.example/new\"}"));
}

static void account(void)
{
	struct holder_acme_print m = { 0 };
	uint8_t first[32];
	int fd = memfd_create("binding", 0);

	acctkey_init(&account_key, -1);
	wire(acctkey_rules, &account_key, P_ACME);
	CHECK_EQ(request("https://a/", "n", "", ""), HOLDER_NOT_YET); /* no disk: no account */
	mkdir("a", 0700);
	mkdir("a/account", 0700);
	acctkey_init(&account_key, -1);
	memcpy(first, account_key.secret, sizeof first);
	new_account(false);
	requests();
	CHECK(ask(HOLDER_ACME_PRINT, &m, sizeof m, SLICE("")) == HOLDER_DONE &&
	      product.len == 43);
	CHECK(write(fd, "id-1\0\0secret", 12) == 12);
	acctkey_init(&account_key, fd);
	CHECK(!memcmp(first, account_key.secret, sizeof first)); /* kept */
	new_account(true);
	CHECK(truncate("a/account/key", 20) == 0);
	acctkey_init(&account_key, -1);
	CHECK_EQ(request("https://a/", "n", "", ""), HOLDER_NOT_YET);
}

/* ---- certificates ---- */

static void csr(void)
{
	struct holder_csr m = { 0 };
	uint8_t key_mem[128];
	struct buf key = BUF(key_mem);
	struct cur c, request, info;

	CHECK_EQ(ask(HOLDER_CSR, &m, sizeof m, SLICE("")), HOLDER_DONE);
	c = CUR(buf_slice(&product));
	request = CUR(der_get(&c, DER_SEQUENCE));
	info = CUR(der_get(&request, DER_SEQUENCE));
	CHECK_SLICE(der_get(&info, DER_INTEGER), "\0");
	CHECK(!der_get(&info, DER_SEQUENCE).n && !info.bad);
	selfsign_put_key(&tls.key, &key);
	CHECK(slice_eq(slice_head(info.s, key.len), buf_slice(&key)));
	CHECK(memmem(product.p, product.len,
		     "mx.example.org\x82\x0d"
		     "a.example.net",
		     29) != NULL);
}

static struct slice chain_of(struct slice names, const struct tlskey *signer, unsigned certs)
{
	static uint8_t mem[HOLDER_CERT_TAIL];
	struct buf b = BUF(mem);

	for (unsigned i = 0; i < certs; i++) {
		size_t at = b.len;

		buf_be16(&b, 0);
		selfsign_put(&signer->key, names, 1700000000, &b);
		CHECK(!b.bad);
		b.p[at] = (uint8_t)((b.len - at - 2) >> 8);
		b.p[at + 1] = (uint8_t)(b.len - at - 2);
	}
	return buf_slice(&b);
}

static void chains(void)
{
	static const char names[] = "mx.example.org a.example.net";
	struct holder_chain_set m = { 0 };
	struct holder_cert get = { 0 };
	struct slice chain;
	uint8_t own[HOLDER_CERT_TAIL];
	size_t own_n = tls.chain.n;

	memcpy(own, tls.chain.p, own_n);
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &m, sizeof m, chain_of(slice_of(names), &other, 1)),
		 HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &m, sizeof m,
		     chain_of(SLICE("mx.example.org"), &tls, 1)),
		 HOLDER_REFUSED);
	chain = chain_of(slice_of(names), &tls, 2);
	for (size_t n = 0; n < chain.n; n++)
		if (n != own_n)
			CHECK_ROW(n % 97 || ask(HOLDER_CHAIN_SET, &m, sizeof m,
						slice_head(chain, n)) == HOLDER_REFUSED,
				  "cut");
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &m, sizeof m,
		     chain_of(slice_of(names), &tls, HOLDER_CERTS + 1)),
		 HOLDER_REFUSED);
	CHECK(slice_eq(tls.chain, (struct slice){ own, own_n }));
	chain = chain_of(slice_of(names), &tls, 2);
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &m, sizeof m, chain), HOLDER_DONE);
	CHECK(ask(HOLDER_CERT, &get, sizeof get, SLICE("")) == HOLDER_DONE &&
	      slice_eq(buf_slice(&product), chain));
	/* it outlives a restart, as long as it is wanted; for other names, too: acme orders another */
	tlskey_init(&tls, slice_of(names), 1, true);
	CHECK(slice_eq(tls.chain, chain));
	tlskey_init(&tls, slice_of(names), 1, false);
	CHECK(!slice_eq(tls.chain, chain));
	tlskey_init(&tls, SLICE("mx.example.org b.example.net"), 1, true);
	CHECK(slice_eq(tls.chain, chain));
	/* a disk that cannot be written: the one of before stays */
	CHECK(rename("a/tls", "a/gone") == 0);
	tlskey_init(&tls, slice_of(names), 1, false);
	own_n = tls.chain.n;
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &m, sizeof m, chain_of(slice_of(names), &tls, 1)),
		 HOLDER_NOT_YET);
	CHECK_EQ(tls.chain.n, own_n);
	CHECK(rename("a/gone", "a/tls") == 0);
}

static void challenge(void)
{
	struct holder_alpn_cert m = { 0 };
	struct certinfo info;
	uint8_t tail[64] = { 1, 2, 3 };
	struct cur c;

	memcpy(tail + 32, "a.example.net", 13);
	tlskey_init(&tls, SLICE("mx.example.org a.example.net"), 1, false);
	CHECK_EQ(ask(HOLDER_ALPN_CERT, &m, sizeof m, (struct slice){ tail, 45 }), HOLDER_DONE);
	c = CUR(buf_slice(&product));
	CHECK(certinfo_parse(cur_take(&c, cur_be16(&c)), &info) && cur_done(&c));
	CHECK(certinfo_names(&info, SLICE("a.example.net")) &&
	      !certinfo_names(&info, SLICE("mx.example.org")));
	/* id-pe-acmeIdentifier, critical, the digest in an OCTET STRING of its own */
	CHECK(memmem(product.p, product.len, "\x2b\6\1\5\5\7\1\x1f\1\1\xff\4\x22\4\x20\1\2\3\0",
		     19) != NULL);
	CHECK_EQ(ask(HOLDER_ALPN_CERT, &m, sizeof m, (struct slice){ tail, 44 }),
		 HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_ALPN_CERT, &m, sizeof m, (struct slice){ tail, 20 }),
		 HOLDER_REFUSED);
}

int main(void)
{
	CHECK(sodium_init() >= 0);
	loop_init(&loop, 8);
	account();
	tlskey_init(&other, SLICE("mx.example.org"), 1, false);
	mkdir("a/tls", 0700);
	tlskey_init(&tls, SLICE("mx.example.org a.example.net"), 1700000000, false);
	wire(tlskey_rules, &tls, P_ACME);
	csr();
	chains();
	challenge();
	TEST_END();
}
