/* SPDX-License-Identifier: ISC */
/* holder.tls behind its channel, before OpenSSL as the client of a handshake: with a key and a chain that came with the
 * image (KEYS_TLS_FILE), and with an authority's for the RSA key of keygen.tls (KEYS_TLS_RSA). */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/topology.h"
#include "keys/holder/tlskey.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/tls.h"
#include "tests/unit/x509.h"

static struct loop loop;
static struct chan asker, holder;
static uint8_t rx[2][MSG_MAX];
static struct tlskey key;
static struct tls ours;
static struct tls_identity identity;

/* ---- a file as rootfs/tls-cert makes it ---- */

static struct {
	EVP_PKEY *pkey;
	uint8_t mem[16 * 1024];
	struct buf b;
} file;

static void put_number(EVP_PKEY *k, const char *name, size_t n)
{
	BIGNUM *bn = NULL;

	CHECK(EVP_PKEY_get_bn_param(k, name, &bn) == 1);
	CHECK(BN_bn2binpad(bn, file.b.p + file.b.len, (int)n) == (int)n);
	file.b.len += n;
	BN_free(bn);
}

static void put_key(EVP_PKEY *k, unsigned bits)
{
	static const char *const parts[] = { "rsa-factor1", "rsa-factor2", "rsa-exponent1",
					     "rsa-exponent2", "rsa-coefficient1" };

	buf_be16(&file.b, (uint16_t)(bits ? bits / 16 * 7 : 32));
	for (size_t i = 0; bits && i < 5; i++)
		put_number(k, parts[i], bits / 16);
	put_number(k, bits ? "n" : "priv", bits ? bits / 8 : 32);
}

static void put_cert(EVP_PKEY *k, EVP_PKEY *signer, const char *cn)
{
	struct x509_made by = x509_make(NULL,
					(struct x509_wish){ .name = "by", .key = signer }),
			 m = x509_make(&by, (struct x509_wish){ .name = cn,
								.key = k,
								.san = "DNS:mx.example.org" });
	uint8_t *der = NULL;
	int n = i2d_X509(m.x, &der);

	buf_be16(&file.b, (uint16_t)n);
	buf_put(&file.b, (struct slice){ der, (size_t)n });
	OPENSSL_free(der);
	X509_free(by.x);
	X509_free(m.x);
}

/* bits: of RSA; 0: P-256. The file has this many octets less than the whole. */
static bool import(unsigned bits, size_t less)
{
	int fd = memfd_make("tls");
	bool ok;

	EVP_PKEY_free(file.pkey);
	file.pkey = bits ? EVP_RSA_gen(bits) : EVP_EC_gen("P-256");
	file.b = BUF(file.mem);
	put_key(file.pkey, bits);
	put_cert(file.pkey, file.pkey, "mx.example.org");
	put_cert(file.pkey, file.pkey, "above");
	CHECK(memfd_append(fd, 0,
			   slice_head(buf_slice(&file.b),
				      less < file.b.len ? file.b.len - less : 0)));
	ok = tlskey_import(&key, fd);
	close(fd);
	return ok;
}

/* ---- the holder asked ---- */

static struct {
	bool seen;
	unsigned result;
	uint8_t mem[HOLDER_CERT_TAIL];
	struct buf product;
} reply;

static void on_reply(struct ask *a, const void *r, struct slice tail)
{
	(void)a;
	reply.seen = true;
	reply.result = r ? ((const struct holder_reply *)r)->result : 99;
	reply.product = BUF(reply.mem);
	buf_put(&reply.product, tail);
}

static unsigned ask(enum holder_type type, void *msg, size_t size, struct slice tail)
{
	const struct want want = { (uint16_t)type, sizeof(struct holder_reply),
				   HOLDER_CERT_TAIL };
	struct ask a = { .done = on_reply };

	reply.seen = false;
	CHECK(chan_ask(&asker, &a, msg, size, tail, NULL, 0, &want, 20000));
	while (!reply.seen)
		loop_round(&loop);
	return reply.result;
}

static bool sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	struct holder_tls_sign m = { .algorithm = (uint16_t)algorithm };

	(void)ctx;
	if (ask(HOLDER_TLS_SIGN, &m, sizeof m, tbs) != HOLDER_DONE)
		return false;
	buf_put(sig, buf_slice(&reply.product));
	return true;
}

/* ---- a client ---- */

/* A handshake with this suite and these signature algorithms; true when the client has all certificates. */
static bool handshake(const char *suite, const char *sigalgs)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	SSL *theirs;
	bool done = false;

	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	CHECK(SSL_CTX_set_cipher_list(context, suite) == 1);
	CHECK(SSL_CTX_set1_sigalgs_list(context, sigalgs) == 1);
	theirs = SSL_new(context);
	SSL_set_bio(theirs, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(theirs);
	tls_server(&ours, &identity);
	for (int i = 0; i < 20 && !done; i++) {
		uint8_t mem[20000];
		int n;

		done = SSL_do_handshake(theirs) == 1;
		n = BIO_read(SSL_get_wbio(theirs), mem, sizeof mem);
		for (int k = 0; k < n;) {
			struct buf in = tls_rx(&ours);
			size_t piece = in.cap < (size_t)(n - k) ? in.cap : (size_t)(n - k);

			if (!piece)
				break;
			memcpy(in.p, mem + k, piece);
			tls_rx_done(&ours, piece);
			k += (int)piece;
		}
		tls_step(&ours, &(struct buf){ .cap = 0 }, &(struct buf){ .cap = 0 });
		for (struct slice tx = tls_tx(&ours); tx.n; tx = tls_tx(&ours)) {
			BIO_write(SSL_get_rbio(theirs), tx.p, (int)tx.n);
			tls_tx_done(&ours, tx.n);
		}
	}
	done = done && sk_X509_num(SSL_get_peer_cert_chain(theirs)) == (int)identity.n;
	ERR_clear_error();
	SSL_free(theirs);
	SSL_CTX_free(context);
	return done;
}

/* Nothing but handshakes: no request for a certificate, no other chain, no odd preimage. */
static void nothing_else(void)
{
	struct holder_csr csr = { 0 };
	struct holder_chain_set set = { 0 };
	struct holder_alpn_cert alpn = { 0 };
	struct holder_tls_sign m = { .algorithm = 0x403 };
	uint8_t digest[SELFSIGN_DIGEST + 14] = { 0 };

	memcpy(digest + SELFSIGN_DIGEST, "mx.example.org", 14);
	CHECK_EQ(ask(HOLDER_CSR, &csr, sizeof csr, SLICE("")), HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &set, sizeof set, key.chain), HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_ALPN_CERT, &alpn, sizeof alpn,
		     (struct slice){ digest, sizeof digest }),
		 HOLDER_REFUSED);
	CHECK_EQ(ask(HOLDER_TLS_SIGN, &m, sizeof m, SLICE("a letter to be signed")),
		 HOLDER_REFUSED);
	m.algorithm = 0x203; /* SHA-1 */
	digest[0] = 0;
	CHECK_EQ(ask(HOLDER_TLS_SIGN, &m, sizeof m, (struct slice){ digest, 46 }),
		 HOLDER_REFUSED);
}

static void kind(unsigned bits)
{
	static uint8_t chain[HOLDER_CERT_TAIL];
	struct holder_cert m = { 0 };
	const char *mine = bits ? "ECDHE-RSA-AES128-GCM-SHA256"
				: "ECDHE-ECDSA-AES128-GCM-SHA256",
		   *other = bits ? "ECDHE-ECDSA-AES128-GCM-SHA256"
				 : "ECDHE-RSA-AES128-GCM-SHA256";

	CHECK(import(bits, 0));
	CHECK_EQ(ask(HOLDER_CERT, &m, sizeof m, SLICE("")), HOLDER_DONE);
	memcpy(chain, reply.mem, reply.product.len);
	identity = (struct tls_identity){ .sign = sign };
	CHECK(tls_identity_chain(&identity, (struct slice){ chain, reply.product.len }));
	CHECK(identity.n == 2 && identity.rsa == (bits != 0));
	CHECK(handshake(mine, "RSA+SHA256:ECDSA+SHA256"));
	CHECK(handshake(mine, "RSA+SHA384:ECDSA+SHA384"));
	CHECK(handshake(mine, "RSA+SHA512:ECDSA+SHA512"));
	CHECK(handshake("ALL", "RSA+SHA1:ECDSA+SHA1:RSA+SHA256:ECDSA+SHA256"));
	CHECK(!handshake(other, "RSA+SHA256:ECDSA+SHA256"));
	CHECK(!handshake(mine, bits ? "RSA-PSS+SHA256:ECDSA+SHA256" : "RSA+SHA256"));
	if (bits) { /* without the fast code, too */
		key.rsa.fast = false;
		CHECK(handshake(mine, "RSA+SHA256"));
	}
	nothing_else();
	tlskey_wipe(&key);
	CHECK(!key.rsa.n && !key.secret[0] && !key.secret[31]);
}

/* ---- an authority's, for the key of keygen.tls ---- */

/* The key that the request is for; NULL: it is no request. */
static EVP_PKEY *requested(void)
{
	const uint8_t *p = reply.product.p;
	X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)reply.product.len);
	EVP_PKEY *k = r ? X509_REQ_get_pubkey(r) : NULL;
	STACK_OF(X509_EXTENSION) *e = r ? X509_REQ_get_extensions(r) : NULL;

	CHECK(k && X509_REQ_verify(r, k) == 1);
	CHECK(X509v3_get_ext_by_NID(e, NID_subject_alt_name, -1) >= 0);
	sk_X509_EXTENSION_pop_free(e, X509_EXTENSION_free);
	X509_REQ_free(r);
	return k;
}

/* What is presented now, to a client that takes RSA and ECDSA. */
static bool presents(bool rsa)
{
	static uint8_t chain[HOLDER_CERT_TAIL];
	struct holder_cert m = { 0 };

	CHECK_EQ(ask(HOLDER_CERT, &m, sizeof m, SLICE("")), HOLDER_DONE);
	memcpy(chain, reply.mem, reply.product.len);
	identity = (struct tls_identity){ .sign = sign };
	return tls_identity_chain(&identity, (struct slice){ chain, reply.product.len }) &&
	       identity.rsa == rsa && handshake("ALL", "RSA+SHA256:ECDSA+SHA256");
}

static void start(void)
{
	tlskey_wipe(&key);
	memset(&key, 0, sizeof key);
	key.wants_rsa = true;
	tlskey_init(&key, SLICE("mx.example.org"), 1700000000, true);
}

static void ordered(void)
{
	struct holder_csr csr = { 0 };
	struct holder_chain_set set = { 0 };
	static struct tlskey gen;
	struct holder_tls_sign m = { .algorithm = 0x403 };
	uint8_t tbs[64 + 4 + 32] = { [64] = 3, [66] = 29, [67] = 32 };
	EVP_PKEY *k, *ca = EVP_EC_gen("P-256");
	uint8_t first[DKIMRSA_OCTETS_MAX];

	CHECK(!mkdir("a", 0700) && !mkdir("a/tls", 0700) && !mkdir("a/tlsrsa", 0700));
	start();
	CHECK(presents(false));
	CHECK_EQ(ask(HOLDER_CSR, &csr, sizeof csr, SLICE("")), HOLDER_NOT_YET);
	tlskey_make_rsa(&gen);
	memcpy(first, gen.rsa.secret, sizeof first);
	CHECK_EQ(ask(HOLDER_CSR, &csr, sizeof csr, SLICE("")), HOLDER_DONE);
	k = requested();
	CHECK(k && EVP_PKEY_is_a(k, "RSA") && EVP_PKEY_get_bits(k) == 2048);
	CHECK(presents(false));
	file.b = BUF(file.mem);
	put_cert(ca, ca, "mx.example.org");
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &set, sizeof set, buf_slice(&file.b)), HOLDER_REFUSED);
	file.b = BUF(file.mem);
	put_cert(k, ca, "mx.example.org");
	CHECK_EQ(ask(HOLDER_CHAIN_SET, &set, sizeof set, buf_slice(&file.b)), HOLDER_DONE);
	CHECK(presents(true));
	/* A handshake that began before goes on with the key that it saw. */
	CHECK_EQ(ask(HOLDER_TLS_SIGN, &m, sizeof m, (struct slice){ tbs, sizeof tbs }),
		 HOLDER_DONE);
	CHECK(reply.product.len < 80);
	/* A restart of either: the same key, the same chain. */
	start();
	CHECK(presents(true));
	memset(&gen, 0, sizeof gen);
	tlskey_make_rsa(&gen);
	CHECK(!memcmp(first, gen.rsa.secret, sizeof first));
	/* Damage is not written over, and another choice takes the P-256 key. */
	CHECK(!truncate("a/tlsrsa/key", 100));
	memset(&gen, 0, sizeof gen);
	tlskey_make_rsa(&gen);
	CHECK(!gen.rsa.n);
	start();
	CHECK(presents(false));
	CHECK_EQ(ask(HOLDER_CSR, &csr, sizeof csr, SLICE("")), HOLDER_NOT_YET);
	EVP_PKEY_free(k);
	EVP_PKEY_free(ca);
}

int main(void)
{
	int pair[2];

	loop_init(&loop, 8);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	chan_init(&asker, &loop, P_HOLDER_TLS, 3, rx[0]);
	chan_init(&holder, &loop, P_ACME, 3, rx[1]);
	holder.rules = tlskey_rules;
	holder.nrules = HOLDER_TYPES;
	holder.ctx = &key;
	chan_wire(&asker, pair[0], 1);
	chan_wire(&holder, pair[1], 1);
	kind(0);
	kind(2048);
	kind(3072);
	kind(4096);
	/* torn, of another size, empty, not there: the machine's own key is taken then */
	CHECK(!import(0, 1) && !key.imported && !key.rsa.n);
	CHECK(!import(2048, 900) && !import(1024, 0) && !import(0, sizeof file.mem));
	CHECK(!tlskey_import(&key, -1));
	EVP_PKEY_free(file.pkey);
	ordered();
	TEST_END();
}
