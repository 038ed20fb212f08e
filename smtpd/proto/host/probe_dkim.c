/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/probe.h"

#include <bearssl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "smtpd/proto/der.h"
#include "smtpd/proto/dkim_canon.h"
#include "smtpd/proto/dkim_sign.h"
#include "smtpd/proto/dkim_verify.h"
#include "smtpd/proto/header.h"
#include "smtpd/proto/host/zone.h"
#include "smtpd/proto/path.h"

enum { SIGNATURE = 512, FIELD = 8192, KEY_MAX = 4096, BITS_MIN = 1024 /* RFC 8301 3.2 */ };

struct key {
	bool ed25519;
	uint8_t pair[crypto_sign_ed25519_SECRETKEYBYTES];
	br_skey_decoder_context rsa;
};

static void der_push(void *der, const void *p, size_t n)
{
	buf_put(der, (struct slice){ p, n });
}

/* The first object of PEM where the file has its dashes, else the file. */
static void der_take(struct slice file, struct buf *der)
{
	br_pem_decoder_context pem;

	if (!slice_iprefix(file, SLICE("-----"))) {
		buf_put(der, file);
		return;
	}
	br_pem_decoder_init(&pem);
	br_pem_decoder_setdest(&pem, der_push, der);
	while (file.n) {
		file = slice_from(file, br_pem_decoder_push(&pem, file.p, file.n));
		if (br_pem_decoder_event(&pem) == BR_PEM_END_OBJ)
			break;
	}
}

/* PKCS #8 of an Ed25519 key: RFC 8410 7, without the optional parts. */
static struct slice ed25519_seed(struct slice der)
{
	struct cur all = CUR(der), c = CUR(der_get(&all, DER_SEQUENCE)), alg, key;
	struct slice version = der_get(&c, DER_INTEGER), seed;

	alg = CUR(der_get(&c, DER_SEQUENCE));
	key = CUR(der_get(&c, DER_OCTETS));
	seed = der_get(&key, DER_OCTETS);
	if (!slice_eq(version, SLICE("\0")) ||
	    !slice_eq(der_get(&alg, DER_OID), SLICE("\x2b\x65\x70")) || !cur_done(&alg) ||
	    !cur_done(&key) || !cur_done(&c) || !cur_done(&all))
		return (struct slice){ NULL, 0 };
	return seed;
}

static bool key_get(struct slice file, struct key *k)
{
	uint8_t mem[KEY_MAX], public[crypto_sign_ed25519_PUBLICKEYBYTES];
	struct buf der = BUF(mem);
	struct slice seed;

	der_take(file, &der);
	if (der.bad)
		return false;
	seed = ed25519_seed(buf_slice(&der));
	k->ed25519 = seed.n == crypto_sign_ed25519_SEEDBYTES;
	if (k->ed25519)
		return crypto_sign_ed25519_seed_keypair(public, k->pair, seed.p) == 0;
	br_skey_decoder_init(&k->rsa);
	br_skey_decoder_push(&k->rsa, der.p, der.len);
	return br_skey_decoder_key_type(&k->rsa) == BR_KEYTYPE_RSA;
}

struct slice probe_letter(struct probe_args *a)
{
	struct slice text = probe_read(a->n ? a->v[0] : NULL);

	return slice_find(text, '\r') == text.n ? probe_crlf(text) : text;
}

static void body_hash(struct slice body, uint8_t sum[32])
{
	br_sha256_context hash;
	struct dkim_body d;

	br_sha256_init(&hash);
	dkim_body_init(&d, DKIM_RELAXED, UINT64_MAX, (struct dkim_sink){ .hash = &hash });
	dkim_body_feed(&d, body);
	dkim_body_end(&d);
	br_sha256_out(&hash, sum);
}

/* The octets of the signature; 0: it cannot be made. */
static size_t sign_hash(const struct key *k, const uint8_t sum[32], uint8_t sig[SIGNATURE])
{
	const br_rsa_private_key *rsa;
	size_t n;

	if (k->ed25519) {
		crypto_sign_ed25519_detached(sig, NULL, sum, 32, k->pair);
		return crypto_sign_ed25519_BYTES;
	}
	rsa = br_skey_decoder_get_rsa(&k->rsa);
	n = (rsa->n_bitlen + 7) / 8;
	if (n > SIGNATURE ||
	    !br_rsa_pkcs1_sign_get_default()(BR_HASH_OID_SHA256, sum, 32, rsa, sig))
		return 0;
	return n;
}

/* Puts the DKIM-Signature field. */
static bool sign(const struct dkim_sign *s, struct slice header, const struct key *key,
		 struct buf *out)
{
	struct buf pre = { .p = malloc(header.n + FIELD), .cap = header.n + FIELD };
	uint8_t sum[32], sig[SIGNATURE];
	br_sha256_context hash;
	size_t n;

	if (!pre.p)
		return false;
	dkim_sign_preimage(s, header, &pre);
	br_sha256_init(&hash);
	br_sha256_update(&hash, pre.p, pre.len);
	br_sha256_out(&hash, sum);
	n = sign_hash(key, sum, sig);
	if (pre.bad || !n)
		return false;
	dkim_sign_field(s, header, (struct slice){ sig, n }, out);
	free(pre.p);
	return !out->bad;
}

int probe_dkim_sign(struct probe_args a)
{
	const char *key = probe_option(&a, "key"), *domain = probe_option(&a, "domain");
	const char *selector = probe_option(&a, "selector");
	uint64_t when = probe_number(&a, "time", (uint64_t)time(NULL), 999999999999);
	static struct key k;
	static uint8_t mem[FIELD];
	struct buf field = BUF(mem);
	struct slice text, header, body;
	uint8_t sum[32];

	if (!key || !domain || !selector)
		return probe_wrong("dkim-sign needs --key, --domain and --selector");
	if (!probe_words(&a, 0, 1))
		return PROBE_USAGE;
	if (!path_name(slice_of(domain)))
		return probe_wrong("--domain is no domain name");
	if (!path_name(slice_of(selector)))
		return probe_wrong("--selector is no name");
	if (!key_get(probe_read(key), &k))
		return probe_wrong("--key holds no private key, RSA or Ed25519");
	if (!k.ed25519 && br_skey_decoder_get_rsa(&k.rsa)->n_bitlen < BITS_MIN)
		return probe_wrong("--key has fewer than 1024 bits");
	text = probe_letter(&a);
	header_split(text, &header, &body);
	if (!header_count(header, SLICE("From")))
		return probe_wrong("the letter has no From: in its header");
	body_hash(body, sum);
	if (!sign(&(struct dkim_sign){ slice_of(domain), slice_of(selector), when, sum,
				       k.ed25519 },
		  header, &k, &field))
		return probe_wrong("this letter cannot be signed with this key");
	probe_write(buf_slice(&field));
	probe_write(text);
	return 0;
}

static void verdict_print(const struct dkim_signature *s)
{
	probe_write(dkim_verdict_text(s->verdict));
	fputs(" d=", stdout);
	probe_write(s->domain);
	fputs(" s=", stdout);
	probe_write(s->selector);
	putchar(' ');
	probe_write(s->reason);
	putchar('\n');
}

void probe_find(const char *zone_file, struct slice zone, struct slice name, uint16_t type,
		struct dnsmsg_answer *out)
{
	unsigned bad;

	zone_find(zone, name, type, out, &bad);
	if (!bad)
		return;
	fprintf(stderr, "probe: %s:%u: not a record\n", zone_file, bad);
	exit(PROBE_USAGE);
}

void probe_signatures(const char *zone_file, struct slice zone, struct slice text, uint64_t now,
		      struct dkim_verify *v)
{
	static struct dnsmsg_answer answer;
	uint8_t mem[DNSMSG_NAME];
	struct buf name = BUF(mem);
	struct slice header, body;

	header_split(text, &header, &body);
	dkim_verify_init(v, header, now);
	dkim_verify_body(v, body);
	dkim_verify_end(v);
	for (; dkim_verify_ask(v, &name); name.len = 0) {
		probe_find(zone_file, zone, buf_slice(&name), DNSMSG_TXT, &answer);
		dkim_verify_answer(v, answer.kind,
				   (struct slice){ answer.records, answer.len });
	}
}

/* Signatures that pass come first, so that the first word speaks for the letter; last those that were too many. */
int probe_dkim_verify(struct probe_args a)
{
	const char *zone_file = probe_option(&a, "zone");
	uint64_t now = probe_number(&a, "time", (uint64_t)time(NULL), INT64_MAX);
	static struct dkim_verify v;
	struct slice text, header, body;

	if (!zone_file)
		return probe_wrong("dkim-verify needs --zone");
	if (!probe_words(&a, 0, 1))
		return PROBE_USAGE;
	text = probe_letter(&a);
	header_split(text, &header, &body);
	probe_signatures(zone_file, probe_read(zone_file), text, now, &v);
	for (int pass = 1; pass >= 0; pass--)
		for (size_t i = 0; i < v.n; i++)
			if ((v.sig[i].verdict == DKIM_PASS) == pass)
				verdict_print(&v.sig[i]);
	for (size_t n = header_count(header, SLICE("DKIM-Signature")); n > v.n; n--)
		puts("permerror d= s= there are more signatures than are looked at");
	if (!v.n)
		puts("none no signature");
	return 0;
}
