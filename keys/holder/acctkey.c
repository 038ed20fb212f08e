/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/holder/acctkey.h"

#include <string.h>
#include <unistd.h>

#include "keys/holder/keyfile.h"
#include "keys/holder/keyrand.h"
#include "keys/holder/product.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/base64.h"

enum { COORDINATE = 32, HEADER_MAX = 2 * HOLDER_URL_MAX + HOLDER_NONCE_MAX + 256 };

/* RFC 7638 3.2: members in this order, no blanks. */
static void put_jwk(struct buf *b, const struct acctkey *a)
{
	buf_put(b, SLICE("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""));
	base64_put_url(b, (struct slice){ a->point + 1, COORDINATE });
	buf_put(b, SLICE("\",\"y\":\""));
	base64_put_url(b, (struct slice){ a->point + 1 + COORDINATE, COORDINATE });
	buf_put(b, SLICE("\"}"));
}

/* Text that stands in a JSON string as it is. */
static bool plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return true;
}

static bool is_url(struct slice s)
{
	return s.n <= HOLDER_URL_MAX && slice_iprefix(s, SLICE("https://")) && plain(s);
}

static bool is_nonce(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!byte_alpha(s.p[i]) && !byte_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	return s.n && s.n <= HOLDER_NONCE_MAX;
}

static void put_text(struct buf *b, const char *name, struct slice value)
{
	buf_put(b, slice_of(name));
	buf_put(b, value);
	buf_u8(b, '"');
}

/* {"payload":...,"protected":...: what is signed is both, with a dot between (RFC 7515 5.1). */
static struct slice begin(struct buf *out, struct buf *tbs, struct slice head,
			  struct slice payload)
{
	base64_put_url(tbs, head);
	head = buf_slice(tbs);
	buf_u8(tbs, '.');
	base64_put_url(tbs, payload);
	put_text(out, "{\"protected\":\"", head);
	put_text(out, ",\"payload\":\"", slice_from(buf_slice(tbs), head.n + 1));
	return buf_slice(tbs);
}

static void put_es256(struct buf *out, const struct acctkey *a, struct slice tbs)
{
	uint8_t sum[br_sha256_SIZE], sig[2 * COORDINATE + 8];
	br_sha256_context h;
	size_t n;

	br_sha256_init(&h);
	br_sha256_update(&h, tbs.p, tbs.n);
	br_sha256_out(&h, sum);
	n = br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, sum, &a->key, sig);
	out->bad |= n != 2 * COORDINATE;
	buf_put(out, SLICE(",\"signature\":\""));
	base64_put_url(out, (struct slice){ sig, n });
	buf_put(out, SLICE("\"}"));
}

/* RFC 8555 7.3.4 */
static void put_binding(struct buf *out, const struct acctkey *a, struct slice url)
{
	uint8_t head_mem[HEADER_MAX], jwk_mem[256], tbs_mem[2 * HEADER_MAX],
		mac[br_sha256_SIZE];
	struct buf head = BUF(head_mem), jwk = BUF(jwk_mem), tbs = BUF(tbs_mem);
	struct slice eab = { a->eab, a->eab_n }, kid = slice_head(eab, slice_find(eab, 0)),
		     key = slice_from(eab, kid.n + 1), part;
	br_hmac_key_context k;
	br_hmac_context h;

	put_text(&head, "{\"alg\":\"HS256\",\"kid\":\"", kid);
	put_text(&head, ",\"url\":\"", url);
	buf_u8(&head, '}');
	put_jwk(&jwk, a);
	part = begin(out, &tbs, buf_slice(&head), buf_slice(&jwk));
	br_hmac_key_init(&k, &br_sha256_vtable, key.p, key.n);
	br_hmac_init(&h, &k, 0);
	br_hmac_update(&h, part.p, part.n);
	br_hmac_out(&h, mac);
	explicit_bzero(&k, sizeof k);
	buf_put(out, SLICE(",\"signature\":\""));
	base64_put_url(out, (struct slice){ mac, sizeof mac });
	buf_put(out, SLICE("\"}"));
	out->bad |= head.bad || jwk.bad || tbs.bad;
}

static void put_new_account(struct buf *b, const struct acctkey *a, struct slice url)
{
	buf_put(b, SLICE("{\"termsOfServiceAgreed\":true"));
	if (a->eab_n) {
		buf_put(b, SLICE(",\"externalAccountBinding\":"));
		put_binding(b, a, url);
	}
	buf_u8(b, '}');
}

static void on_request(void *ctx, struct call *c)
{
	const struct acctkey *a = ctx;
	const struct holder_acme_request *m = c->msg;
	uint8_t head_mem[HEADER_MAX], body_mem[HOLDER_PAYLOAD_MAX], tbs_mem[HOLDER_JWS_MAX],
		out_mem[HOLDER_JWS_MAX];
	struct buf head = BUF(head_mem), body = BUF(body_mem), tbs = BUF(tbs_mem),
		   out = BUF(out_mem);
	struct cur t = CUR(c->tail);
	struct slice url = cur_take(&t, m->url_len), nonce = cur_take(&t, m->nonce_len),
		     account = cur_take(&t, m->account_len), payload = t.s;

	if (t.bad || !is_url(url) || !is_nonce(nonce) ||
	    (account.n ? !is_url(account) : payload.n)) {
		product_answer(&c->token, HOLDER_REFUSED, payload);
		return;
	}
	buf_put(&head, SLICE("{\"alg\":\"ES256\","));
	if (account.n) {
		put_text(&head, "\"kid\":\"", account);
		buf_put(&body, payload);
	} else {
		buf_put(&head, SLICE("\"jwk\":"));
		put_jwk(&head, a);
		put_new_account(&body, a, url);
	}
	put_text(&head, ",\"nonce\":\"", nonce);
	put_text(&head, ",\"url\":\"", url);
	buf_u8(&head, '}');
	put_es256(&out, a, begin(&out, &tbs, buf_slice(&head), buf_slice(&body)));
	if (head.bad || body.bad || tbs.bad || out.bad)
		product_answer(&c->token, HOLDER_REFUSED, payload);
	else
		product_answer(&c->token, a->lasting ? HOLDER_DONE : HOLDER_NOT_YET,
			       buf_slice(&out));
}

static void on_print(void *ctx, struct call *c)
{
	uint8_t jwk_mem[256], sum[br_sha256_SIZE], text_mem[64];
	struct buf jwk = BUF(jwk_mem), text = BUF(text_mem);
	br_sha256_context h;

	put_jwk(&jwk, ctx);
	br_sha256_init(&h);
	br_sha256_update(&h, jwk.p, jwk.len);
	br_sha256_out(&h, sum);
	base64_put_url(&text, (struct slice){ sum, sizeof sum });
	product_answer(&c->token, HOLDER_DONE, buf_slice(&text));
}

const struct rule acctkey_rules[HOLDER_TYPES] = {
	[HOLDER_ACME_REQUEST] = { .from = 1u << P_ACME,
				  .size = sizeof(struct holder_acme_request),
				  .tail_max = HOLDER_ACME_TAIL,
				  .run = on_request },
	[HOLDER_ACME_PRINT] = { .from = 1u << P_ACME,
				.size = sizeof(struct holder_acme_print),
				.run = on_print },
};

static void make(struct acctkey *a)
{
	br_hmac_drbg_context rng;

	keyrand_init(&rng);
	if (br_ec_keygen(&rng.vtable, &br_ec_p256_m31, &a->key, a->secret, BR_EC_secp256r1) !=
	    ACCTKEY_OCTETS)
		bug("no key");
	explicit_bzero(&rng, sizeof rng);
}

static void read_binding(struct acctkey *a, int fd)
{
	ssize_t n = fd >= 0 ? pread(fd, a->eab, sizeof a->eab, 0) : 0;

	a->eab_n = n > 0 ? (size_t)n : 0;
	if (a->eab_n && (slice_find((struct slice){ a->eab, a->eab_n }, 0) >= a->eab_n ||
			 a->eab_n == sizeof a->eab)) {
		log_event("binding", "bad", "yes");
		a->eab_n = 0;
	}
}

void acctkey_init(struct acctkey *a, int eab_fd)
{
	struct buf b = BUF(a->secret);
	enum keyfile_state state = keyfile_load(KEYFILE_ACCOUNT, true, &b);
	br_ec_public_key pub;

	a->lasting = state == KEYFILE_WHOLE && !b.bad && b.len == ACCTKEY_OCTETS;
	a->key = (br_ec_private_key){ BR_EC_secp256r1, a->secret, ACCTKEY_OCTETS };
	if (!a->lasting) {
		make(a);
		a->lasting = state == KEYFILE_NEW &&
			     keyfile_save(KEYFILE_ACCOUNT,
					  (struct slice){ a->secret, ACCTKEY_OCTETS });
	}
	if (!a->lasting)
		log_event("ephemeral", "secret", "account");
	if (br_ec_compute_pub(&br_ec_p256_m31, &pub, a->point, &a->key) != sizeof a->point)
		bug("no account key");
	read_binding(a, eab_fd);
}

void acctkey_wipe(struct acctkey *a)
{
	explicit_bzero(a->secret, sizeof a->secret);
	explicit_bzero(a->eab, sizeof a->eab);
}
