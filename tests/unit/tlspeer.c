/* SPDX-License-Identifier: ISC */
/* smtpd/lib/tls with OpenSSL at the other end: extended master secret (RFC 7627), and peers that lack it; a long
 * chain. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/unit/cert.h"
#include "tests/unit/test.h"

static struct tls ours;
static struct cert cert;
static struct tls_cache cache;
static uint8_t sessions[8 * TLS_SESSION];
static struct buf got = { .cap = 0 };
static uint8_t got_mem[100], said_mem[100];
static SSL *theirs;
static SSL_CTX *context;
static bool hide; /* takes the extension out of the ServerHello that OpenSSL sends */

static enum tls_state step(struct buf *said)
{
	return tls_step(&ours, &got, said);
}

/* The plain record of a ServerHello without its empty extension 23: three lengths shrink by 4. */
static size_t without(uint8_t *p, size_t n)
{
	static const uint8_t extension[4] = { 0, 23, 0, 0 };
	size_t list = 5 + 4 + 2 + 32 + 1 + p[5 + 4 + 34] + 3, at = list + 2;

	while (at + 4 <= n && memcmp(p + at, extension, sizeof extension) != 0)
		at += 4 + (size_t)(p[at + 2] << 8 | p[at + 3]);
	CHECK(at + 4 <= n && p[0] == 22 && p[5] == 2);
	if (at + 4 > n)
		return n;
	memmove(p + at, p + at + 4, n - at - 4);
	p[list + 1] = (uint8_t)(p[list + 1] - 4);
	p[8] = (uint8_t)(p[8] - 4);
	p[4] = (uint8_t)(p[4] - 4);
	return n - 4;
}

static size_t to_us(void)
{
	uint8_t mem[20000];
	int n = BIO_read(SSL_get_wbio(theirs), mem, sizeof mem);
	size_t left = n > 0 ? (size_t)n : 0;

	if (hide && left > 5 && mem[5] == 2) {
		left = without(mem, left);
		hide = false;
	}
	for (uint8_t *p = mem; left;) {
		struct buf rx = tls_rx(&ours);
		size_t k = rx.cap < left ? rx.cap : left;

		if (!k)
			return 0; /* ours has ended */
		memcpy(rx.p, p, k);
		tls_rx_done(&ours, k);
		p += k;
		left -= k;
		step(&(struct buf){ .cap = 0 });
	}
	return n > 0 ? (size_t)n : 0;
}

static size_t to_them(void)
{
	struct slice tx = tls_tx(&ours);
	size_t n = tx.n;

	if (n) {
		BIO_write(SSL_get_rbio(theirs), tx.p, (int)n);
		tls_tx_done(&ours, n);
	}
	return n;
}

/* Handshake and a word in each direction: true when both arrived. */
static bool talk(void)
{
	struct buf said = BUF(said_mem);
	char word[8] = "";
	bool asked = false;
	int end;

	got = BUF(got_mem);
	for (int idle = 0; idle < 2;) {
		if (SSL_do_handshake(theirs) == 1 && !asked)
			asked = SSL_write(theirs, "theirs", 6) == 6;
		idle = to_us() + to_them() ? 0 : idle + 1;
		if (step(&said) == TLS_UP && !said.len && !said.cap)
			said = (struct buf){ 0 };
	}
	if (ours.up) {
		buf_put(&said, SLICE("ours"));
		step(&said);
		to_them();
	}
	end = SSL_read(theirs, word, sizeof word);
	ERR_clear_error();
	return end == 4 && !memcmp(word, "ours", 4) &&
	       slice_eq(buf_slice(&got), SLICE("theirs"));
}

static bool extended(void)
{
	br_ssl_session_parameters p;

	br_ssl_engine_get_session_parameters(ours.eng, &p);
	CHECK(!ours.up || SSL_get_extms_support(theirs) == p.extended);
	return p.extended;
}

static void theirs_end(void)
{
	if (theirs) /* or the session would count as broken */
		SSL_set_shutdown(theirs, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(theirs);
	theirs = NULL;
}

static void theirs_begin(bool lacks, SSL_SESSION *resume)
{
	theirs_end();
	theirs = SSL_new(context);
	SSL_set_bio(theirs, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (lacks)
		SSL_set_options(theirs, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	if (resume)
		CHECK(SSL_set_session(theirs, resume) == 1);
	hide = false;
}

/* ---- we are the server ---- */

static bool serve(bool lacks, SSL_SESSION *resume)
{
	theirs_begin(lacks, resume);
	SSL_set_connect_state(theirs);
	tls_server(&ours, &cert.id);
	return talk();
}

static void server(const char *suites)
{
	SSL_SESSION *kept, *bare;

	context = SSL_CTX_new(TLS_method());
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	CHECK(SSL_CTX_set_cipher_list(context, suites) == 1);
	CHECK(serve(false, NULL) && extended() && !ours.resumed);
	kept = SSL_get1_session(theirs);
	CHECK(serve(false, kept) && extended() && ours.resumed && SSL_session_reused(theirs));
	/* A client without it: served, and not resumed. */
	CHECK(serve(true, NULL) && !extended());
	bare = SSL_get1_session(theirs);
	CHECK(serve(true, bare) && !extended() && !ours.resumed && !SSL_session_reused(theirs));
	/* One that has learned it meanwhile gets a whole handshake, and one that has lost it gets none. */
	CHECK(serve(false, bare) && extended() && !ours.resumed);
	CHECK(!serve(true, kept) && !ours.up);
	CHECK_EQ(br_ssl_engine_last_error(ours.eng), BR_ERR_SEND_FATAL_ALERT + 40);
	SSL_SESSION_free(kept);
	SSL_SESSION_free(bare);
	SSL_CTX_free(context);
}

/* The longest chain arrives whole, in its order, for a name that we do not have as well. */
static void chain(void)
{
	static struct cert issuer[TLS_CHAIN_MAX - 1];
	STACK_OF(X509) * seen;

	for (size_t i = 1; i < TLS_CHAIN_MAX; i++) {
		cert_make(&issuer[i - 1], "mx.example.org");
		cert.id.chain[i] = issuer[i - 1].id.chain[0];
	}
	cert.id.n = TLS_CHAIN_MAX;
	context = SSL_CTX_new(TLS_method());
	theirs_begin(false, NULL);
	SSL_set_tlsext_host_name(theirs, "another.example");
	SSL_set_connect_state(theirs);
	tls_server(&ours, &cert.id);
	CHECK(talk());
	seen = SSL_get_peer_cert_chain(theirs);
	CHECK_EQ(sk_X509_num(seen), TLS_CHAIN_MAX);
	for (int i = 0; i < sk_X509_num(seen); i++) {
		uint8_t *der = NULL;
		int n = i2d_X509(sk_X509_value(seen, i), &der);

		CHECK((size_t)n == cert.id.chain[i].data_len &&
		      !memcmp(der, cert.id.chain[i].data, (size_t)n));
		OPENSSL_free(der);
	}
	cert.id.n = 1;
	SSL_CTX_free(context);
}

/* ---- we are the client ---- */

static bool ask(bool lacks, const struct tls_session *resume)
{
	theirs_begin(lacks, NULL);
	SSL_set_accept_state(theirs);
	tls_client(&ours, NULL, "mx.example.org");
	if (resume)
		tls_resume(&ours, "mx.example.org", resume);
	return talk();
}

static void client(const char *suites)
{
	struct tls_session kept = { 0 }, bare;
	uint8_t der[256];
	const uint8_t *p = der;
	br_ec_public_key pk = { .curve = BR_EC_secp256r1, .q = cert.point, .qlen = 65 };
	size_t n = br_encode_ec_raw_der(der, &cert.sk, &pk);

	context = SSL_CTX_new(TLS_method());
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_id_context(context, (const uint8_t *)"mx", 2);
	CHECK(SSL_CTX_use_certificate_ASN1(context, (int)cert.n, cert.der) == 1);
	CHECK(SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, context, p, (long)n) == 1);
	CHECK(SSL_CTX_set_cipher_list(context, suites) == 1);
	CHECK(ask(false, NULL) && extended() && tls_session_get(&ours, &kept));
	CHECK(ask(false, &kept) && extended() && SSL_session_reused(theirs));
	/* A server without it: spoken to, and its session is not kept. */
	CHECK(ask(true, NULL) && !extended() && !tls_session_get(&ours, &bare));
	/* One that resumes with it what had none, or the other way round. */
	bare = kept;
	bare.p.extended = 0;
	CHECK(!ask(false, &bare) && !ours.up);
	CHECK_EQ(br_ssl_engine_last_error(ours.eng), BR_ERR_RESUME_MISMATCH);
	theirs_begin(false, NULL);
	SSL_set_accept_state(theirs);
	tls_client(&ours, NULL, "mx.example.org");
	tls_resume(&ours, "mx.example.org", &kept);
	hide = true;
	CHECK(!talk() && !ours.up && !hide);
	CHECK_EQ(br_ssl_engine_last_error(ours.eng), BR_ERR_RESUME_MISMATCH);
	SSL_CTX_free(context);
}

int main(void)
{
	static const char *const suites[] = { "ECDHE-ECDSA-AES128-GCM-SHA256",
					      "ECDHE-ECDSA-AES256-GCM-SHA384",
					      "ECDHE-ECDSA-CHACHA20-POLY1305" };

	cert_make(&cert, "mx.example.org");
	cert.id.cache = &cache;
	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
		tls_cache_init(&cache, sessions, sizeof sessions);
		server(suites[i]);
		client(suites[i]);
	}
	chain();
	theirs_end();
	TEST_END();
}
