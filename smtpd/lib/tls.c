/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/lib/tls.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/tlscurve.h"

enum {
	CURVES_ECDHE = 1 << BR_EC_curve25519 | 1 << BR_EC_secp256r1,
	ANCHORS_MEM = TLS_ANCHORS_MAX * 1024
};

static const struct {
	uint16_t id;
	const char *name;
} suites[] = {
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305" },
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256" },
	{ BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384" },
};

enum { SUITES = sizeof suites / sizeof *suites, SUITES_ECDSA = 3 };

static const struct {
	int error;
	const char *why;
} reasons[] = {
	{ BR_ERR_BAD_VERSION, "protocol version" },
	{ BR_ERR_UNSUPPORTED_VERSION, "protocol version" },
	{ BR_ERR_BAD_CIPHER_SUITE, "cipher suite" },
	{ BR_ERR_BAD_MAC, "record does not authenticate" },
	{ BR_ERR_NO_RANDOM, "no entropy" },
	{ BR_ERR_INVALID_ALGORITHM, "no signature" },
	{ BR_ERR_BAD_SIGNATURE, "signature is wrong" },
	{ BR_ERR_WRONG_KEY_USAGE, "key type does not fit" },
	{ BR_ERR_X509_EXPIRED, "certificate expired" },
	{ BR_ERR_X509_BAD_SERVER_NAME, "certificate is for another name" },
	{ BR_ERR_X509_NOT_TRUSTED, "certificate chain ends at no trust anchor" },
	{ BR_ERR_X509_NOT_CA, "certificate issuer is no CA" },
	{ BR_ERR_X509_BAD_SIGNATURE, "certificate signature is wrong" },
	{ BR_ERR_X509_WEAK_PUBLIC_KEY, "certificate key is too short" },
	{ BR_ERR_X509_EMPTY_CHAIN, "no certificate" },
	{ BR_ERR_RECV_FATAL_ALERT + 40, "peer: handshake failure" },
	{ BR_ERR_RECV_FATAL_ALERT + 42, "peer: bad certificate" },
	{ BR_ERR_RECV_FATAL_ALERT + 46, "peer: certificate unknown" },
	{ BR_ERR_RECV_FATAL_ALERT + 48, "peer: unknown CA" },
	{ BR_ERR_RECV_FATAL_ALERT + 70, "peer: protocol version" },
};

/* ---- the server's choices ---- */

static int choose(const br_ssl_server_policy_class **ctx, const br_ssl_server_context *sc,
		  br_ssl_server_choices *out)
{
	const struct tls_policy *p = (const struct tls_policy *)(const void *)ctx;
	const br_suite_translated *offered;
	bool rsa = p->identity->rsa;
	/* those with RSA, and above them those with ECDSA */
	uint32_t hashes = br_ssl_server_get_client_hashes(sc) >> (rsa ? 0 : 8);
	size_t n;

	/* The engine left only suites that we set and that the client's curves allow. */
	offered = br_ssl_server_get_client_suites(sc, &n);
	if (!n || !p->identity->n)
		return 0;
	out->cipher_suite = offered[0][0];
	for (unsigned h = br_sha256_ID; h <= br_sha512_ID; h++)
		if (hashes >> h & 1) {
			out->algo_id = h << 8 | (rsa ? 1 : 3); /* RFC 5246 7.4.1.4.1 */
			out->chain = p->identity->chain;
			out->chain_len = p->identity->n;
			return 1;
		}
	return 0;
}

static uint32_t do_keyx(const br_ssl_server_policy_class **ctx, unsigned char *data,
			size_t *len)
{
	(void)ctx, (void)data, (void)len;
	return 0; /* static key exchange: no suite of ours asks for it */
}

static size_t do_sign(const br_ssl_server_policy_class **ctx, unsigned algo_id,
		      unsigned char *data, size_t tbs_len, size_t len)
{
	const struct tls_identity *id =
		((const struct tls_policy *)(const void *)ctx)->identity;
	uint8_t sig[4096 / 8]; /* RSA; of ECDSA at most 80 */
	struct buf b = BUF(sig);

	if (!id->sign(id->ctx, algo_id, (struct slice){ data, tbs_len }, &b) || b.bad ||
	    b.len > len)
		return 0;
	memcpy(data, sig, b.len);
	return b.len;
}

static const br_ssl_server_policy_class policy_class = {
	.context_size = sizeof(struct tls_policy),
	.choose = choose,
	.do_keyx = do_keyx,
	.do_sign = do_sign,
};

/* ---- sessions ---- */

static struct tls *server_of(br_ssl_server_context *sc)
{
	return OWNER(struct tls, u.server.ctx, sc);
}

static struct tls_cache *cache_of(const br_ssl_session_cache_class **ctx)
{
	return (struct tls_cache *)(void *)ctx;
}

/* The end of a full handshake. */
static void cache_save(const br_ssl_session_cache_class **ctx, br_ssl_server_context *sc,
		       const br_ssl_session_parameters *params)
{
	struct tls_cache *c = cache_of(ctx);

	server_of(sc)->resumed = false;
	c->lru.vtable->save(&c->lru.vtable, sc, params);
}

static int cache_load(const br_ssl_session_cache_class **ctx, br_ssl_server_context *sc,
		      br_ssl_session_parameters *params)
{
	struct tls_cache *c = cache_of(ctx);
	int found = c->lru.vtable->load(&c->lru.vtable, sc, params);

	server_of(sc)->resumed = found != 0;
	return found;
}

static const br_ssl_session_cache_class cache_class = {
	.context_size = sizeof(struct tls_cache),
	.save = cache_save,
	.load = cache_load,
};

void tls_cache_init(struct tls_cache *c, uint8_t *mem, size_t n)
{
	explicit_bzero(mem, n);
	c->vtable = &cache_class;
	br_ssl_session_cache_lru_init(&c->lru, mem, n);
}

/* ---- opportunistic: any chain ---- */

static struct tls_leaf *leaf_of(const br_x509_class **ctx)
{
	return (struct tls_leaf *)(void *)ctx;
}

static void leaf_start_chain(const br_x509_class **ctx, const char *name)
{
	(void)name;
	leaf_of(ctx)->seen = false;
}

static void leaf_start_cert(const br_x509_class **ctx, uint32_t length)
{
	(void)length;
	if (!leaf_of(ctx)->seen)
		br_x509_decoder_init(&leaf_of(ctx)->decoder, NULL, NULL);
}

static void leaf_append(const br_x509_class **ctx, const unsigned char *p, size_t n)
{
	if (!leaf_of(ctx)->seen)
		br_x509_decoder_push(&leaf_of(ctx)->decoder, p, n);
}

static void leaf_end_cert(const br_x509_class **ctx)
{
	leaf_of(ctx)->seen = true;
}

static unsigned leaf_end_chain(const br_x509_class **ctx)
{
	struct tls_leaf *l = leaf_of(ctx);

	if (!l->seen)
		return BR_ERR_X509_EMPTY_CHAIN;
	return (unsigned)br_x509_decoder_last_error(&l->decoder);
}

static const br_x509_pkey *leaf_key(const br_x509_class *const *ctx, unsigned *usages)
{
	struct tls_leaf *l = (struct tls_leaf *)(uintptr_t)ctx;

	if (usages)
		*usages = BR_KEYTYPE_SIGN;
	return br_x509_decoder_get_pkey(&l->decoder);
}

static const br_x509_class leaf_class = {
	.context_size = sizeof(struct tls_leaf),
	.start_chain = leaf_start_chain,
	.start_cert = leaf_start_cert,
	.append = leaf_append,
	.end_cert = leaf_end_cert,
	.end_chain = leaf_end_chain,
	.get_pkey = leaf_key,
};

/* ---- set-up ---- */

static bool seed(br_ssl_engine_context *eng)
{
	uint8_t b[32];
	bool ok = getrandom(b, sizeof b, 0) == (ssize_t)sizeof b;

	if (ok)
		br_ssl_engine_inject_entropy(eng, b, sizeof b);
	explicit_bzero(b, sizeof b);
	return ok;
}

/* What both sides have in common. */
static void prepare(struct tls *t, br_ssl_engine_context *eng, size_t suite, size_t nsuites,
		    unsigned curves)
{
	uint16_t id[SUITES];

	t->eng = eng;
	t->up = t->resumed = false;
	for (size_t i = 0; i < nsuites; i++)
		id[i] = suites[suite + i].id;
	br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(eng, id, nsuites);
	tlscurve_init(&t->curves, curves);
	br_ssl_engine_set_ec(eng, &t->curves);
	br_ssl_engine_set_hash(eng, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(eng, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(eng, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(eng, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(eng, &br_tls12_sha384_prf);
	br_ssl_engine_set_default_aes_gcm(eng);
	br_ssl_engine_set_default_chapol(eng);
	br_ssl_engine_set_buffers_bidi(eng, t->in, sizeof t->in, t->out, sizeof t->out);
	br_ssl_engine_add_flags(eng, BR_OPT_NO_RENEGOTIATION);
	if (!seed(eng))
		bug("getrandom");
}

/* Is this a certificate for an RSA key? */
static bool has_rsa(const br_x509_certificate *c)
{
	br_x509_decoder_context decoder;
	const br_x509_pkey *key;

	br_x509_decoder_init(&decoder, NULL, NULL);
	br_x509_decoder_push(&decoder, c->data, c->data_len);
	key = br_x509_decoder_get_pkey(&decoder);
	return key && key->key_type == BR_KEYTYPE_RSA;
}

bool tls_identity_chain(struct tls_identity *id, struct slice chain)
{
	struct cur c = CUR(chain);

	for (id->n = 0; !cur_end(&c) && id->n < TLS_CHAIN_MAX; id->n++) {
		struct slice der = cur_take(&c, cur_be16(&c));

		id->chain[id->n] =
			(br_x509_certificate){ (unsigned char *)(uintptr_t)der.p, der.n };
	}
	if (!cur_done(&c) || !id->n)
		return false;
	id->rsa = has_rsa(id->chain);
	return true;
}

void tls_server(struct tls *t, const struct tls_identity *id)
{
	br_ssl_server_context *sc = &t->u.server.ctx;

	br_ssl_server_zero(sc);
	prepare(t, &sc->eng, id->rsa ? SUITES_ECDSA : 0, SUITES_ECDSA, CURVES_ECDHE);
	t->u.server.policy = (struct tls_policy){ &policy_class, id };
	br_ssl_server_set_policy(sc, &t->u.server.policy.vtable);
	if (id->cache)
		br_ssl_server_set_cache(sc, &id->cache->vtable);
	br_ssl_server_reset(sc);
}

void tls_alpn(struct tls *t, const char *protocol)
{
	t->protocol = protocol;
	br_ssl_engine_set_protocol_names(t->eng, &t->protocol, 1);
	br_ssl_engine_add_flags(t->eng, BR_OPT_FAIL_ON_ALPN_MISMATCH);
}

static void verify(struct tls *t, const struct tls_anchors *anchors)
{
	br_x509_minimal_context *x = &t->u.client.x509.minimal;
	struct timespec now;

	br_x509_minimal_init(x, &br_sha256_vtable, anchors->ta, anchors->n);
	br_x509_minimal_set_hash(x, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(x, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(x, br_sha512_ID, &br_sha512_vtable);
	br_x509_minimal_set_rsa(x, br_ssl_engine_get_rsavrfy(t->eng));
	br_x509_minimal_set_ecdsa(x, br_ssl_engine_get_ec(t->eng),
				  br_ssl_engine_get_ecdsa(t->eng));
	br_x509_minimal_set_minrsa(x, 2048 / 8);
	clock_gettime(CLOCK_REALTIME, &now);
	/* Days are counted from the year 0. */
	br_x509_minimal_set_time(x, (uint32_t)(now.tv_sec / 86400 + 719528),
				 (uint32_t)(now.tv_sec % 86400));
	br_ssl_engine_set_x509(t->eng, &x->vtable);
}

static void client(struct tls *t, const struct tls_anchors *anchors, struct tls_pinned *pinned,
		   const struct tls_pins *pins, const char *host)
{
	static const struct tls_anchors none;
	br_ssl_client_context *cc = &t->u.client.ctx;

	br_ssl_client_zero(cc);
	/* P-384 too: an end-entity key on that curve signs the key exchange. */
	prepare(t, &cc->eng, 0, SUITES, CURVES_ECDHE | 1 << BR_EC_secp384r1);
	br_ssl_client_set_default_rsapub(cc);
	br_ssl_engine_set_default_rsavrfy(t->eng);
	/* br_ssl_engine_set_default_ecdsa() would change the curves. */
	br_ssl_engine_set_ecdsa(t->eng, br_ecdsa_vrfy_asn1_get_default());
	if (pinned) {
		verify(t, &none);
		tls_pinned_init(pinned, pins, &t->u.client.x509.minimal);
		br_ssl_engine_set_x509(t->eng, &pinned->vtable);
	} else if (anchors) {
		verify(t, anchors);
	} else {
		t->u.client.x509.leaf.vtable = &leaf_class;
		br_ssl_engine_set_x509(t->eng, &t->u.client.x509.leaf.vtable);
	}
	/* Our records are short because our buffer is, but the peer's need not be: with 14 here the
	 * engine does not ask for that (RFC 6066 4). */
	t->eng->log_max_frag_len = 14;
	br_ssl_client_reset(cc, host, 0);
}

void tls_client(struct tls *t, const struct tls_anchors *anchors, const char *host)
{
	client(t, anchors, NULL, NULL, host);
}

void tls_client_pinned(struct tls *t, struct tls_pinned *engine, const struct tls_pins *pins,
		       const char *host)
{
	client(t, NULL, engine, pins, host);
}

bool tls_session_get(const struct tls *t, struct tls_session *s)
{
	br_ssl_engine_get_session_parameters(t->eng, &s->p);
	return t->up && s->p.session_id_len && s->p.extended;
}

bool tls_session_same(const struct tls_session *a, const struct tls_session *b)
{
	return slice_eq_ct((struct slice){ a->p.master_secret, sizeof a->p.master_secret },
			   (struct slice){ b->p.master_secret, sizeof b->p.master_secret });
}

void tls_resume(struct tls *t, const char *host, const struct tls_session *s)
{
	br_ssl_engine_set_session_parameters(t->eng, &s->p);
	br_ssl_client_reset(&t->u.client.ctx, host, 1);
}

/* ---- anchors ---- */

struct loading {
	struct tls_anchors *a;
	size_t *line;
	bool inside; /* a certificate */
	br_pem_decoder_context pem;
	br_x509_decoder_context decoder;
	struct buf dn;
	uint8_t name[2048];
};

static void put_name(void *ctx, const void *p, size_t n)
{
	buf_put(&((struct loading *)ctx)->dn, (struct slice){ p, n });
}

static void put_der(void *ctx, const void *p, size_t n)
{
	br_x509_decoder_push(&((struct loading *)ctx)->decoder, p, n);
}

static bool keep(struct arena *a, unsigned char **p, size_t n)
{
	struct slice s;

	if (!arena_copy(a, (struct slice){ *p, n }, &s))
		return false;
	*p = (unsigned char *)(uintptr_t)s.p;
	return true;
}

/* The certificate that was just decoded becomes an anchor. */
static bool add_anchor(struct loading *l)
{
	struct tls_anchors *a = l->a;
	br_x509_trust_anchor *ta = &a->ta[a->n];
	const br_x509_pkey *key = br_x509_decoder_get_pkey(&l->decoder);
	bool ok;

	if (!key || l->dn.bad || a->n == TLS_ANCHORS_MAX || !br_x509_decoder_isCA(&l->decoder))
		return false;
	*ta = (br_x509_trust_anchor){ .dn = { l->dn.p, l->dn.len },
				      .flags = BR_X509_TA_CA,
				      .pkey = *key };
	ok = keep(&a->mem, &ta->dn.data, ta->dn.len);
	if (key->key_type == BR_KEYTYPE_RSA)
		ok = ok && keep(&a->mem, &ta->pkey.key.rsa.n, ta->pkey.key.rsa.nlen) &&
		     keep(&a->mem, &ta->pkey.key.rsa.e, ta->pkey.key.rsa.elen);
	else
		ok = ok && keep(&a->mem, &ta->pkey.key.ec.q, ta->pkey.key.ec.qlen);
	a->n += ok;
	return ok;
}

static bool on_pem(struct loading *l, int event)
{
	switch (event) {
	case BR_PEM_BEGIN_OBJ:
		l->inside = strcmp(br_pem_decoder_name(&l->pem), "CERTIFICATE") == 0;
		if (!l->inside)
			return false;
		l->dn = BUF(l->name);
		br_x509_decoder_init(&l->decoder, put_name, l);
		br_pem_decoder_setdest(&l->pem, put_der, l);
		return true;
	case BR_PEM_END_OBJ:
		l->inside = false;
		return add_anchor(l);
	default:
		return event == 0;
	}
}

static void load_begin(struct loading *l, struct tls_anchors *a, size_t *line)
{
	*a = (struct tls_anchors){ .mem = { arena_reserve(ANCHORS_MEM), ANCHORS_MEM, 0 } };
	l->a = a;
	l->line = line;
	l->inside = false;
	*line = 1;
	br_pem_decoder_init(&l->pem);
}

static bool load_feed(struct loading *l, struct slice pem)
{
	while (pem.n) {
		size_t n = br_pem_decoder_push(&l->pem, pem.p, pem.n);

		for (size_t i = 0; i < n; i++)
			*l->line += pem.p[i] == '\n';
		pem = slice_from(pem, n);
		if (!on_pem(l, br_pem_decoder_event(&l->pem)))
			return false;
	}
	return true;
}

bool tls_anchors_load(struct tls_anchors *a, struct slice pem, size_t *line)
{
	struct loading l;

	load_begin(&l, a, line);
	return load_feed(&l, pem) && !l.inside;
}

void tls_anchors_read(struct tls_anchors *a, int fd, const char *what)
{
	uint8_t piece[4096];
	struct loading l;
	struct logline log;
	size_t line;
	off_t at = 0;
	ssize_t got;
	bool ok = true;

	load_begin(&l, a, &line);
	while (ok && fd >= 0 && (got = pread(fd, piece, sizeof piece, at)) > 0) {
		ok = load_feed(&l, (struct slice){ piece, (size_t)got });
		at += got;
	}
	log_begin(&log, "anchors");
	log_text(&log, "of", what);
	if (!ok || l.inside) {
		a->n = 0;
		log_num(&log, "bad_line", (int64_t)line);
	}
	log_num(&log, "count", (int64_t)a->n);
	log_send(&log);
}

/* ---- the pump ---- */

struct buf tls_rx(struct tls *t)
{
	size_t n = 0;
	uint8_t *p = br_ssl_engine_recvrec_buf(t->eng, &n);

	return (struct buf){ .p = p, .cap = p ? n : 0 };
}

void tls_rx_done(struct tls *t, size_t n)
{
	br_ssl_engine_recvrec_ack(t->eng, n);
}

struct slice tls_tx(struct tls *t)
{
	size_t n = 0;
	const uint8_t *p = br_ssl_engine_sendrec_buf(t->eng, &n);

	return (struct slice){ p, p ? n : 0 };
}

void tls_tx_done(struct tls *t, size_t n)
{
	br_ssl_engine_sendrec_ack(t->eng, n);
}

static void take_in(struct tls *t, struct buf *in)
{
	size_t n;
	const uint8_t *p = br_ssl_engine_recvapp_buf(t->eng, &n);

	if (!p)
		return;
	if (n > buf_room(in))
		n = buf_room(in);
	buf_put(in, (struct slice){ p, n });
	if (n)
		br_ssl_engine_recvapp_ack(t->eng, n);
}

static void give_out(struct tls *t, struct buf *out)
{
	size_t n;
	uint8_t *p = br_ssl_engine_sendapp_buf(t->eng, &n);

	if (!p)
		return;
	t->up = true;
	if (n > out->len)
		n = out->len;
	if (!n)
		return;
	memcpy(p, out->p, n);
	br_ssl_engine_sendapp_ack(t->eng, n);
	buf_eat(out, n);
	if (!out->len)
		br_ssl_engine_flush(t->eng, 0);
}

enum tls_state tls_step(struct tls *t, struct buf *app_in, struct buf *app_out)
{
	take_in(t, app_in);
	give_out(t, app_out);
	if (br_ssl_engine_current_state(t->eng) == BR_SSL_CLOSED)
		return br_ssl_engine_last_error(t->eng) ? TLS_FAILED : TLS_CLOSED;
	return t->up ? TLS_UP : TLS_BUSY;
}

void tls_end(struct tls *t)
{
	br_ssl_engine_close(t->eng);
}

const char *tls_why(const struct tls *t)
{
	int error = br_ssl_engine_last_error(t->eng);

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].error == error)
			return reasons[i].why;
	if (error >= BR_ERR_SEND_FATAL_ALERT)
		return "nothing in common";
	if (error >= BR_ERR_RECV_FATAL_ALERT)
		return "peer: alert";
	return error >= BR_ERR_X509_INVALID_VALUE ? "certificate is malformed"
						  : "protocol error";
}

const char *tls_suite(const struct tls *t)
{
	br_ssl_session_parameters s;
	const char *name = "none";

	br_ssl_engine_get_session_parameters(t->eng, &s);
	for (size_t i = 0; i < SUITES; i++)
		if (suites[i].id == s.cipher_suite)
			name = suites[i].name;
	explicit_bzero(&s, sizeof s);
	return name;
}
