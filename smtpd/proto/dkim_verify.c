/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_verify.h"

#include <sodium.h>
#include <string.h>

#include "smtpd/proto/base64.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/taglist.h"

static void judge(struct dkim_signature *s, enum dkim_verdict verdict, struct slice reason)
{
	s->verdict = verdict;
	s->reason = reason;
}

/* --- the tags of a signature --- */

enum { V, A, B, BH, C, D, H, I, L, Q, S, T, X, TAGS };

static const struct {
	struct slice name;
	bool must;
} tags[TAGS] = {
	[V] = { SLICE("v"), true },   [A] = { SLICE("a"), true },  [B] = { SLICE("b"), true },
	[BH] = { SLICE("bh"), true }, [C] = { SLICE("c"), false }, [D] = { SLICE("d"), true },
	[H] = { SLICE("h"), true },   [I] = { SLICE("i"), false }, [L] = { SLICE("l"), false },
	[Q] = { SLICE("q"), false },  [S] = { SLICE("s"), true },  [T] = { SLICE("t"), false },
	[X] = { SLICE("x"), false },
};

static bool tags_get(struct slice body, struct tag seen[TAGS])
{
	struct cur c = CUR(body);
	struct tag t;

	memset(seen, 0, TAGS * sizeof *seen);
	while (taglist_next(&c, &t))
		for (int i = 0; i < TAGS; i++) {
			if (!slice_eq(t.name, tags[i].name))
				continue;
			if (seen[i].name.n)
				return false;
			seen[i] = t;
		}
	for (int i = 0; i < TAGS; i++)
		if (tags[i].must && !seen[i].value.n)
			return false;
	return !c.bad;
}

static bool bytes_get(struct slice value, uint8_t *out, size_t cap, size_t *n)
{
	uint8_t text[4 * ((DKIM_SIG_MAX + 2) / 3)];
	struct buf b64 = BUF(text), got = { .p = out, .cap = cap };

	taglist_squeeze(value, &b64);
	if (b64.bad || !base64_get(buf_slice(&b64), &got))
		return false;
	*n = got.len;
	return true;
}

static bool canon_get(struct slice word, enum dkim_canon *out)
{
	if (!slice_ieq(word, SLICE("relaxed")) && !slice_ieq(word, SLICE("simple")))
		return false;
	*out = slice_ieq(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return true;
}

static bool canons_get(struct slice value, enum dkim_canon *header, enum dkim_canon *body)
{
	size_t slash = slice_find(value, '/');

	*header = *body = DKIM_SIMPLE;
	if (!value.n)
		return true;
	return canon_get(slice_head(value, slash), header) &&
	       (slash == value.n || canon_get(slice_from(value, slash + 1), body));
}

/* RFC 6376 3.5: i= lies in d= or below it. */
static bool auid_ok(struct slice auid, struct slice domain, struct slice *auid_domain)
{
	size_t at = slice_rfind(auid, '@');

	if (at == auid.n)
		return false;
	*auid_domain = slice_from(auid, at + 1);
	return slice_ieq(*auid_domain, domain) ||
	       (slice_iends(*auid_domain, domain) &&
		auid_domain->p[auid_domain->n - domain.n - 1] == '.');
}

static bool names_ok(struct slice names)
{
	struct slice one;
	size_t n = 0;

	for (struct slice rest = names; taglist_word(&rest, ':', &one); n++)
		if (!one.n)
			return false;
	return n <= DKIM_NAMES && taglist_has(names, ':', SLICE("from"));
}

/* The syntax of all values; on success all of *s but the hashes is set. */
static bool values_get(struct dkim_signature *s, const struct tag t[TAGS], uint64_t *time,
		       uint64_t *expire)
{
	enum dkim_canon body_canon;
	uint64_t limit = UINT64_MAX;
	size_t n;

	*time = 0;
	*expire = UINT64_MAX;
	s->limited = t[L].name.n > 0;
	s->names = t[H].value;
	s->b_raw = t[B].raw;
	s->auid = s->domain;
	if (!dnsmsg_name_ok(s->domain) || !dnsmsg_name_ok(s->selector) || !names_ok(s->names) ||
	    !canons_get(t[C].value, &s->header_canon, &body_canon) ||
	    !bytes_get(t[B].value, s->b, sizeof s->b, &s->b_n) ||
	    !bytes_get(t[BH].value, s->body_sha256, sizeof s->body_sha256, &n) || n != 32)
		return false;
	if ((t[I].name.n && !auid_ok(t[I].value, s->domain, &s->auid)) ||
	    (s->limited && !slice_u64(t[L].value, UINT64_MAX - 1, &limit)) ||
	    (t[T].name.n && !slice_u64(t[T].value, UINT64_MAX, time)) ||
	    (t[X].name.n && (!slice_u64(t[X].value, UINT64_MAX, expire) || *expire <= *time)))
		return false;
	dkim_body_init(&s->body, body_canon, limit, (struct dkim_sink){ .hash = &s->hash });
	return true;
}

static void start(struct dkim_signature *s, struct slice body, uint64_t now)
{
	struct tag t[TAGS];
	uint64_t time, expire;

	if (!tags_get(body, t)) {
		judge(s, DKIM_PERMERROR, SLICE("malformed signature"));
		return;
	}
	s->domain = t[D].value;
	s->selector = t[S].value;
	s->ed25519 = slice_ieq(t[A].value, SLICE("ed25519-sha256"));
	if (!slice_eq(t[V].value, SLICE("1")))
		judge(s, DKIM_PERMERROR, SLICE("unknown version"));
	else if (slice_ieq(t[A].value, SLICE("rsa-sha1")))
		judge(s, DKIM_PERMERROR, SLICE("SHA-1 is not accepted"));
	else if (!s->ed25519 && !slice_ieq(t[A].value, SLICE("rsa-sha256")))
		judge(s, DKIM_PERMERROR, SLICE("unknown algorithm"));
	else if (t[Q].name.n && !taglist_has(t[Q].value, ':', SLICE("dns/txt")))
		judge(s, DKIM_PERMERROR, SLICE("unknown query method"));
	else if (!values_get(s, t, &time, &expire))
		judge(s, DKIM_PERMERROR, SLICE("malformed signature"));
	else if (now && expire < now)
		judge(s, DKIM_FAIL, SLICE("signature expired"));
	else if (now && time > now + DKIM_DRIFT)
		judge(s, DKIM_FAIL, SLICE("signature from the future"));
	else
		br_sha256_init(&s->hash);
}

void dkim_verify_init(struct dkim_verify *v, struct slice header, uint64_t now)
{
	struct slice rest = header;
	bool more = true;

	v->n = v->fields = v->asked = 0;
	while (v->fields < DKIM_FIELDS && (more = header_next(&rest, &v->field[v->fields])))
		v->fields++;
	for (size_t i = 0; i < v->fields && v->n < DKIM_SIGNATURES; i++) {
		struct dkim_signature *s = &v->sig[v->n];

		if (!slice_ieq(v->field[i].name, SLICE("DKIM-Signature")))
			continue;
		memset(s, 0, sizeof *s);
		s->raw = v->field[i].raw;
		s->field = i;
		start(s, v->field[i].body, now);
		if (more && rest.n && !s->verdict)
			judge(s, DKIM_PERMERROR, SLICE("too many header fields"));
		v->n++;
	}
}

/* --- the hashes --- */

void dkim_verify_body(struct dkim_verify *v, struct slice piece)
{
	for (size_t i = 0; i < v->n; i++)
		if (!v->sig[i].verdict)
			dkim_body_feed(&v->sig[i].body, piece);
}

/* RFC 6376 5.4.2: each name in h= takes the last field of that name that was not taken before. */
static void header_hash(const struct dkim_verify *v, struct dkim_signature *s)
{
	struct dkim_sink to = { .hash = &s->hash };
	struct slice rest = s->names, name;
	bool used[DKIM_FIELDS] = { false };

	br_sha256_init(&s->hash);
	used[s->field] = true;
	while (taglist_word(&rest, ':', &name))
		for (size_t i = v->fields; i-- > 0;)
			if (!used[i] && slice_ieq(v->field[i].name, name)) {
				used[i] = true;
				dkim_canon_header(s->header_canon, v->field[i].raw, &to);
				break;
			}
}

/* RFC 6376 3.7: the field itself, b= empty, without its CRLF. */
static void signature_hash(struct dkim_signature *s, uint8_t out[32])
{
	size_t cut = (size_t)(s->b_raw.p - s->raw.p);
	struct slice head = slice_head(s->raw, cut);
	struct slice tail = slice_from(slice_head(s->raw, s->raw.n - 2), cut + s->b_raw.n);

	dkim_canon_open(s->header_canon, head, tail, &(struct dkim_sink){ .hash = &s->hash });
	br_sha256_out(&s->hash, out);
}

void dkim_verify_end(struct dkim_verify *v)
{
	uint8_t sum[32];

	for (size_t i = 0; i < v->n; i++) {
		struct dkim_signature *s = &v->sig[i];

		if (s->verdict)
			continue;
		dkim_body_end(&s->body);
		br_sha256_out(&s->hash, sum);
		if (s->limited && s->body.size < s->body.limit)
			judge(s, DKIM_FAIL, SLICE("body is shorter than l="));
		else if (memcmp(sum, s->body_sha256, sizeof sum) != 0)
			judge(s, DKIM_FAIL, SLICE("body hash differs"));
	}
}

/* --- the keys --- */

static struct dkim_signature *pending(struct dkim_verify *v)
{
	while (v->asked < v->n && v->sig[v->asked].verdict)
		v->asked++;
	return v->asked < v->n ? &v->sig[v->asked] : NULL;
}

bool dkim_verify_ask(struct dkim_verify *v, struct buf *name)
{
	struct dkim_signature *s = pending(v);

	if (!s)
		return false;
	buf_put(name, s->selector);
	buf_put(name, SLICE("._domainkey."));
	buf_put(name, s->domain);
	return true;
}

static bool rsa_ok(const struct dkim_signature *s, struct dkim_key *k, const uint8_t hash[32])
{
	br_rsa_public_key pk = {
		.n = k->modulus, .nlen = k->modulus_n, .e = k->exponent, .elen = k->exponent_n
	};
	uint8_t signedhash[32];

	return br_rsa_pkcs1_vrfy_get_default()(s->b, s->b_n, BR_HASH_OID_SHA256, 32, &pk,
					       signedhash) &&
	       memcmp(signedhash, hash, 32) == 0;
}

static void check(const struct dkim_verify *v, struct dkim_signature *s, struct dkim_key *k)
{
	uint8_t hash[32];
	bool ok;

	if (k->ed25519 != s->ed25519) {
		judge(s, DKIM_PERMERROR, SLICE("the key is of another kind"));
		return;
	}
	if (k->strict && !slice_ieq(s->auid, s->domain)) {
		judge(s, DKIM_PERMERROR, SLICE("the key does not allow i= in a subdomain"));
		return;
	}
	header_hash(v, s);
	signature_hash(s, hash);
	if (s->ed25519)
		ok = s->b_n == crypto_sign_BYTES &&
		     crypto_sign_verify_detached(s->b, hash, sizeof hash, k->modulus) == 0;
	else
		ok = rsa_ok(s, k, hash);
	if (!ok)
		judge(s, DKIM_FAIL, SLICE("signature differs"));
	else if (s->limited)
		judge(s, DKIM_PASS, SLICE("good signature over a part of the body"));
	else
		judge(s, DKIM_PASS,
		      k->testing ? SLICE("good signature, testing key")
				 : SLICE("good signature"));
}

static const struct slice faults[] = {
	[DKIM_KEY_OK] = SLICE("no key"),
	[DKIM_KEY_SYNTAX] = SLICE("malformed key"),
	[DKIM_KEY_REVOKED] = SLICE("key revoked"),
	[DKIM_KEY_OTHER] = SLICE("the key is for another purpose"),
	[DKIM_KEY_SIZE] = SLICE("RSA key of a size that is not accepted"),
};

/* Several records: the first that is a key counts (RFC 6376 6.1.2 leaves the choice). */
void dkim_verify_answer(struct dkim_verify *v, enum dnsmsg_kind kind, struct slice records)
{
	struct dkim_signature *s = pending(v);
	enum dkim_key_fault fault = DKIM_KEY_OK;
	struct cur c = CUR(records);
	struct slice one;
	struct dkim_key key;

	if (!s)
		return;
	if (kind == DNSMSG_NXDOMAIN || kind == DNSMSG_NODATA) {
		judge(s, DKIM_PERMERROR, faults[DKIM_KEY_OK]);
		return;
	}
	if (kind != DNSMSG_OK) {
		judge(s, DKIM_TEMPERROR, SLICE("the key could not be looked up"));
		return;
	}
	while (dnsmsg_record(&c, &one)) {
		fault = dkim_key_parse(one, &key);
		if (fault == DKIM_KEY_OK) {
			check(v, s, &key);
			return;
		}
	}
	judge(s, DKIM_PERMERROR, faults[fault]);
}

struct slice dkim_verdict_text(enum dkim_verdict verdict)
{
	static const struct slice text[] = {
		[DKIM_PENDING] = SLICE("neutral"),     [DKIM_PASS] = SLICE("pass"),
		[DKIM_FAIL] = SLICE("fail"),	       [DKIM_PERMERROR] = SLICE("permerror"),
		[DKIM_TEMPERROR] = SLICE("temperror"),
	};

	return text[verdict];
}
