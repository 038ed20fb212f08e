/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_verify.h"

#include <sodium.h>
#include <string.h>

#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/header.h"
#include "smtpd/proto/taglist.h"
#include "smtpd/proto/utf8.h"

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
static bool auid_ok(struct slice auid, struct slice domain, bool *below)
{
	uint8_t mem[DNSMSG_NAME];
	struct buf b = BUF(mem);
	size_t at = slice_rfind(auid, '@');
	struct slice d;

	if (at == auid.n)
		return false;
	utf8_domain(&b, slice_from(auid, at + 1));
	d = buf_slice(&b);
	*below = dnsmsg_name_below(d, domain);
	return !b.bad && (*below || slice_ieq(d, domain));
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

static bool bytes_get(struct slice value, struct buf *out, size_t least)
{
	return taglist_base64(value, out) && out->len >= least;
}

/* "s._domainkey.d" */
static bool name_put(struct dkim_signature *s, struct slice selector, struct slice domain)
{
	struct buf b = BUF(s->name);
	size_t at;

	utf8_domain(&b, selector);
	at = b.len;
	buf_put(&b, SLICE("._domainkey."));
	s->name_n = b.len;
	utf8_domain(&b, domain);
	if (b.bad || !selector.n || !dnsmsg_name_ok(buf_slice(&b)))
		return false;
	s->selector = slice_head(buf_slice(&b), at);
	s->domain = slice_from(buf_slice(&b), s->name_n);
	s->name_n = b.len;
	return s->domain.n > 0;
}

struct form { /* what is hashed, and how */
	enum dkim_canon header, body;
	uint64_t limit, time, expire;
};

/* The syntax of all values. */
static bool values_get(struct dkim_signature *s, const struct tag t[TAGS], struct form *f)
{
	struct buf b = BUF(s->b), sum = BUF(s->body_sha256);

	s->limited = t[L].name.n > 0;
	if (!names_ok(t[H].value) || !canons_get(t[C].value, &f->header, &f->body) ||
	    !bytes_get(t[B].value, &b, 1) || !bytes_get(t[BH].value, &sum, 32))
		return false;
	s->b_n = b.len;
	return (!t[I].name.n || auid_ok(t[I].value, s->domain, &s->below)) &&
	       (!s->limited || slice_u64(t[L].value, UINT64_MAX - 1, &f->limit)) &&
	       (!t[T].name.n || slice_u64(t[T].value, UINT64_MAX, &f->time)) &&
	       (!t[X].name.n || slice_u64(t[X].value, UINT64_MAX, &f->expire)) &&
	       f->expire > f->time;
}

/* The hash of the body that *s needs: one that others need, too, or a new one. */
static bool sum_get(struct dkim_verify *v, struct dkim_signature *s, const struct form *f)
{
	struct dkim_sum *sum = v->sum;

	while (sum < v->sum + v->sums &&
	       (sum->body.canon != f->body || sum->body.limit != f->limit))
		sum++;
	if (sum == v->sum + DKIM_BODIES)
		return false;
	s->sum = sum - v->sum;
	if (s->sum < v->sums)
		return true;
	v->sums++;
	br_sha256_init(&sum->hash);
	dkim_body_init(&sum->body, f->body, f->limit, (struct dkim_sink){ .hash = &sum->hash });
	return true;
}

static void start(struct dkim_verify *v, struct dkim_signature *s, const struct tag t[TAGS],
		  struct form *f, uint64_t now)
{
	s->ed25519 = slice_ieq(t[A].value, SLICE("ed25519-sha256"));
	if (!name_put(s, t[S].value, t[D].value))
		judge(s, DKIM_PERMERROR, SLICE("malformed signature"));
	else if (!slice_eq(t[V].value, SLICE("1")))
		judge(s, DKIM_PERMERROR, SLICE("unknown version"));
	else if (slice_ieq(t[A].value, SLICE("rsa-sha1")))
		judge(s, DKIM_PERMERROR, SLICE("SHA-1 is not accepted"));
	else if (!s->ed25519 && !slice_ieq(t[A].value, SLICE("rsa-sha256")))
		judge(s, DKIM_PERMERROR, SLICE("unknown algorithm"));
	else if (t[Q].name.n && !taglist_has(t[Q].value, ':', SLICE("dns/txt")))
		judge(s, DKIM_PERMERROR, SLICE("unknown query method"));
	else if (!values_get(s, t, f))
		judge(s, DKIM_PERMERROR, SLICE("malformed signature"));
	else if (now && f->expire < now)
		judge(s, DKIM_FAIL, SLICE("signature expired"));
	else if (now && f->time > now + DKIM_DRIFT)
		judge(s, DKIM_FAIL, SLICE("signature from the future"));
	else if (!sum_get(v, s, f))
		judge(s, DKIM_PERMERROR, SLICE("too many forms of the body"));
}

/* --- the header --- */

struct fields {
	size_t n;
	bool all;
	struct field {
		const uint8_t *p;
		uint32_t n, name_n; /* of the raw field, and of its name */
	} f[DKIM_FIELDS];
};

static void fields_get(struct fields *all, struct slice header)
{
	struct header_field f;

	for (all->n = 0; all->n < DKIM_FIELDS && header_next(&header, &f); all->n++)
		all->f[all->n] = (struct field){ f.raw.p, f.raw.n, f.name.n };
	all->all = !header.n;
}

static struct slice raw_of(const struct field *f)
{
	return (struct slice){ f->p, f->n };
}

static bool is_named(const struct field *f, struct slice name)
{
	return slice_ieq((struct slice){ f->p, f->name_n }, name);
}

/* RFC 6376 5.4.2: each name in h= takes the last field of that name that was not taken before. 3.7: at the end the
 * signature itself, b= empty, without its CRLF. */
static void header_hash(const struct fields *all, size_t self, const struct tag t[TAGS],
			enum dkim_canon canon, uint8_t out[32])
{
	struct slice rest = t[H].value, name, raw = raw_of(&all->f[self]);
	size_t cut = (size_t)(t[B].raw.p - raw.p);
	bool used[DKIM_FIELDS] = { false };
	br_sha256_context hash;
	struct dkim_sink to = { .hash = &hash };

	br_sha256_init(&hash);
	used[self] = true;
	while (taglist_word(&rest, ':', &name))
		for (size_t i = all->n; i-- > 0;)
			if (!used[i] && is_named(&all->f[i], name)) {
				used[i] = true;
				dkim_canon_header(canon, raw_of(&all->f[i]), &to);
				break;
			}
	dkim_canon_open(canon, slice_head(raw, cut),
			slice_from(slice_head(raw, raw.n - 2), cut + t[B].raw.n), &to);
	br_sha256_out(&hash, out);
}

static void signature_get(struct dkim_verify *v, const struct fields *all, size_t self,
			  uint64_t now)
{
	struct form f = { .limit = UINT64_MAX, .expire = UINT64_MAX };
	struct dkim_signature *s = &v->sig[v->n++];
	struct slice body = slice_from(raw_of(&all->f[self]), all->f[self].name_n);
	struct tag t[TAGS];

	memset(s, 0, sizeof *s);
	if (!tags_get(slice_from(body, slice_find(body, ':') + 1), t))
		judge(s, DKIM_PERMERROR, SLICE("malformed signature"));
	else
		start(v, s, t, &f, now);
	if (!s->verdict && !all->all)
		judge(s, DKIM_PERMERROR, SLICE("too many header fields"));
	if (!s->verdict)
		header_hash(all, self, t, f.header, s->sha256);
}

void dkim_verify_init(struct dkim_verify *v, struct slice header, uint64_t now)
{
	struct fields all;

	v->n = v->asked = v->sums = 0;
	fields_get(&all, header);
	for (size_t i = 0; i < all.n && v->n < DKIM_SIGNATURES; i++)
		if (is_named(&all.f[i], SLICE("DKIM-Signature")))
			signature_get(v, &all, i, now);
}

/* --- the body --- */

void dkim_verify_body(struct dkim_verify *v, struct slice piece)
{
	for (size_t i = 0; i < v->sums; i++)
		dkim_body_feed(&v->sum[i].body, piece);
}

void dkim_verify_end(struct dkim_verify *v)
{
	uint8_t sum[DKIM_BODIES][32];

	for (size_t i = 0; i < v->sums; i++) {
		dkim_body_end(&v->sum[i].body);
		br_sha256_out(&v->sum[i].hash, sum[i]);
	}
	for (size_t i = 0; i < v->n; i++) {
		struct dkim_signature *s = &v->sig[i];
		const struct dkim_body *body = &v->sum[s->sum].body;

		if (s->verdict)
			continue;
		if (s->limited && body->size < body->limit)
			judge(s, DKIM_FAIL, SLICE("body is shorter than l="));
		else if (memcmp(sum[s->sum], s->body_sha256, 32) != 0)
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
	buf_put(name, (struct slice){ s->name, s->name_n });
	return true;
}

static bool rsa_ok(const struct dkim_signature *s, struct dkim_key *k)
{
	br_rsa_public_key pk = {
		.n = k->modulus, .nlen = k->modulus_n, .e = k->exponent, .elen = k->exponent_n
	};
	uint8_t hash[32];

	return br_rsa_pkcs1_vrfy_get_default()(s->b, s->b_n, BR_HASH_OID_SHA256, 32, &pk,
					       hash) &&
	       memcmp(hash, s->sha256, 32) == 0;
}

static bool ed25519_ok(const struct dkim_signature *s, const struct dkim_key *k)
{
	return s->b_n == crypto_sign_BYTES &&
	       crypto_sign_verify_detached(s->b, s->sha256, 32, k->modulus) == 0;
}

static void check(struct dkim_signature *s, struct dkim_key *k)
{
	static const struct slice good[2][2] = {
		/* l=, t=y */
		{ SLICE("good signature"), SLICE("good signature, testing key") },
		{ SLICE("good signature over a part of the body"),
		  SLICE("good signature over a part of the body, testing key") },
	};

	if (k->ed25519 != s->ed25519)
		judge(s, DKIM_PERMERROR, SLICE("the key is of another kind"));
	else if (k->strict && s->below)
		judge(s, DKIM_PERMERROR, SLICE("the key does not allow i= in a subdomain"));
	else if (s->ed25519 ? ed25519_ok(s, k) : rsa_ok(s, k))
		judge(s, DKIM_PASS, good[s->limited][k->testing]);
	else
		judge(s, DKIM_FAIL,
		      k->testing ? SLICE("signature differs, testing key")
				 : SLICE("signature differs"));
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
			check(s, &key);
			return;
		}
	}
	judge(s, fault == DKIM_KEY_SIZE ? DKIM_FAIL : DKIM_PERMERROR, faults[fault]);
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
