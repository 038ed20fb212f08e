/* SPDX-License-Identifier: ISC */
/* Chains that OpenSSL made, judged as our client judges them: the shapes that authorities use, and what BearSSL's
 * engine takes or refuses by its nature. SECURITY.md says which of these are weaker than one would wish. */
#define _GNU_SOURCE
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "smtpd/lib/tls.h"
#include "tests/unit/test.h"

enum { DAY = 86400, TOP = 6 };

static struct tls client;
static struct tls_anchors anchors;

struct made { /* a certificate and its key */
	X509 *x;
	EVP_PKEY *key;
};

struct ask { /* what it is to be; zero: as usual */
	const char *name, *san, *constraints, *usage;
	EVP_PKEY *key;	/* of its own otherwise; owned by the caller */
	const char *of; /* kind of a key of its own: curve, or RSA bits */
	const EVP_MD *hash;
	int from, to; /* days from now; 0, 0: from yesterday to tomorrow */
	bool ca, pss;
	const char *basic; /* other than what ca says */
};

static EVP_PKEY *new_key(const char *of)
{
	return of[0] == 'P' ? EVP_EC_gen(of) : EVP_RSA_gen((unsigned)atoi(of));
}

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	CHECK_ROW(!value || (e && X509_add_ext(x, e, -1)), value);
	X509_EXTENSION_free(e);
}

static void sign(X509 *x, EVP_PKEY *key, const EVP_MD *hash, bool pss)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;

	CHECK(EVP_DigestSignInit(c, &how, hash ? hash : EVP_sha256(), NULL, key) == 1);
	CHECK(!pss || EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1);
	CHECK(X509_sign_ctx(x, c) > 0);
	EVP_MD_CTX_free(c);
}

/* by: NULL for one that signs itself. */
static struct made make(const struct made *by, struct ask a)
{
	struct made m = { X509_new(), a.key ? a.key : new_key(a.of ? a.of : "P-256") };
	X509_NAME *name = X509_get_subject_name(m.x);
	static long serial;

	X509_set_version(m.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(m.x), DAY * (long)(a.from || a.to ? a.from : -1));
	X509_gmtime_adj(X509_getm_notAfter(m.x), DAY * (long)(a.from || a.to ? a.to : 1));
	X509_set_pubkey(m.x, m.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)a.name, -1, -1,
				   0);
	X509_set_issuer_name(m.x, by ? X509_get_subject_name(by->x) : name);
	extend(m.x, NID_basic_constraints,
	       a.basic ? a.basic
	       : a.ca  ? "critical,CA:TRUE"
		       : "critical,CA:FALSE");
	extend(m.x, NID_subject_alt_name, a.san);
	extend(m.x, NID_name_constraints, a.constraints);
	extend(m.x, NID_ext_key_usage, a.usage);
	sign(m.x, by ? by->key : m.key, a.hash, a.pss);
	return m;
}

static void trust(const struct made *m)
{
	BIO *b = BIO_new(BIO_s_mem());
	uint8_t *pem;
	size_t line;
	long n;

	CHECK(PEM_write_bio_X509(b, m->x));
	n = BIO_get_mem_data(b, &pem);
	CHECK(tls_anchors_load(&anchors, (struct slice){ pem, (size_t)n }, &line));
	BIO_free(b);
}

/* The engine's verdict on these certificates for this host. */
static unsigned judge(const char *host, const struct made *const *chain)
{
	const br_x509_class **x = &client.u.client.x509.minimal.vtable;

	tls_client(&client, &anchors, host);
	(*x)->start_chain(x, host);
	for (; *chain; chain++) {
		uint8_t *der = NULL;
		int n = i2d_X509((*chain)->x, &der);

		(*x)->start_cert(x, (uint32_t)n);
		(*x)->append(x, der, (size_t)n);
		(*x)->end_cert(x);
		OPENSSL_free(der);
	}
	return (*x)->end_chain(x);
}

#define CHAIN(...) ((const struct made *const[]){ __VA_ARGS__, NULL })

static void drop(struct made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->key);
}

/* ---- what stands in the one certificate below the anchor ---- */

static struct made root;

static const struct {
	const char *host;
	struct ask a;
	unsigned verdict;
} leaves[] = {
	{ "mx.example.org", { .san = "DNS:mx.example.org" }, 0 },
	{ "MX.Example.ORG", { .san = "DNS:other.example,DNS:mx.example.org" }, 0 },
	{ "mx.example.org",
	  { .san = "DNS:mx.example.org.evil.example" },
	  BR_ERR_X509_BAD_SERVER_NAME },
	{ "mx.example.org", { .san = "DNS:x.example.org" }, BR_ERR_X509_BAD_SERVER_NAME },
	/* A wildcard is the whole of the leftmost label, and one label. */
	{ "mx.example.org", { .san = "DNS:*.example.org" }, 0 },
	{ "a.mx.example.org", { .san = "DNS:*.example.org" }, BR_ERR_X509_BAD_SERVER_NAME },
	{ "example.org", { .san = "DNS:*.example.org" }, BR_ERR_X509_BAD_SERVER_NAME },
	{ "mx.example.org", { .san = "DNS:m*.example.org" }, BR_ERR_X509_BAD_SERVER_NAME },
	{ "mx.example.org", { .san = "DNS:mx.*.org" }, BR_ERR_X509_BAD_SERVER_NAME },
	/* Addresses and letters are no host names. */
	{ "192.0.2.1", { .san = "IP:192.0.2.1" }, BR_ERR_X509_BAD_SERVER_NAME },
	{ "mx.example.org",
	  { .san = "email:a@mx.example.org,URI:https://mx.example.org" },
	  BR_ERR_X509_BAD_SERVER_NAME },
	/* Time. */
	{ "mx.example.org",
	  { .san = "DNS:mx.example.org", .from = -9, .to = -1 },
	  BR_ERR_X509_EXPIRED },
	{ "mx.example.org",
	  { .san = "DNS:mx.example.org", .from = 2, .to = 9 },
	  BR_ERR_X509_EXPIRED },
	/* Keys. */
	{ "mx.example.org", { .san = "DNS:mx.example.org", .of = "P-384" }, 0 },
	{ "mx.example.org", { .san = "DNS:mx.example.org", .of = "P-521" }, 0 },
	{ "mx.example.org", { .san = "DNS:mx.example.org", .of = "2048" }, 0 },
	{ "mx.example.org", { .san = "DNS:mx.example.org", .of = "4096" }, 0 },
	{ "mx.example.org",
	  { .san = "DNS:mx.example.org", .of = "1024" },
	  BR_ERR_X509_WEAK_PUBLIC_KEY },
	/* Not looked at: what the key is for, and constraints that are not critical. */
	{ "mx.example.org", { .san = "DNS:mx.example.org", .usage = "clientAuth" }, 0 },
	{ "mx.example.org",
	  { .san = "DNS:mx.example.org", .usage = "critical,serverAuth" },
	  BR_ERR_X509_CRITICAL_EXTENSION },
};

static void below_the_anchor(void)
{
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		struct ask a = leaves[i].a;
		struct made leaf;

		a.name = "somebody";
		leaf = make(&root, a);
		CHECK_ROW(judge(leaves[i].host, CHAIN(&leaf)) == leaves[i].verdict,
			  a.san ? a.san : a.name);
		drop(&leaf);
	}
}

/* ---- how it was signed ---- */

static void signatures(void)
{
	static const struct {
		const char *of;
		bool sha1, pss;
		unsigned bits, verdict;
	} by[] = {
		{ "P-256", .bits = 256 },
		{ "P-384", .bits = 384 },
		{ "4096", .bits = 512 },
		{ "2048", .bits = 256 },
		{ "P-256", .bits = 1, .verdict = BR_ERR_X509_UNSUPPORTED },
		{ "2048", .bits = 1, .verdict = BR_ERR_X509_UNSUPPORTED },
		{ "2048", .bits = 256, .pss = true, .verdict = BR_ERR_X509_UNSUPPORTED },
	};

	for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
		const EVP_MD *hash = by[i].bits == 1	 ? EVP_sha1()
				     : by[i].bits == 256 ? EVP_sha256()
				     : by[i].bits == 384 ? EVP_sha384()
							 : EVP_sha512();
		struct made ca = make(NULL,
				      (struct ask){ .name = "ca", .of = by[i].of, .ca = true }),
			    leaf = make(&ca, (struct ask){ .name = "x",
							   .san = "DNS:mx.example.org",
							   .hash = hash,
							   .pss = by[i].pss });

		trust(&ca);
		CHECK_ROW(judge("mx.example.org", CHAIN(&leaf)) == by[i].verdict, by[i].of);
		drop(&leaf);
		drop(&ca);
	}
}

/* ---- chains as Let's Encrypt makes them: a new root below an old one, and that below one more ---- */

static void roots_below_roots(void)
{
	struct made x1 = make(NULL, (struct ask){ .name = "X1", .of = "4096", .ca = true }),
		    x2 = make(NULL, (struct ask){ .name = "X2", .of = "P-384", .ca = true }),
		    x2_by_x1 =
			    make(&x1, (struct ask){ .name = "X2", .key = x2.key, .ca = true }),
		    ye = make(NULL,
			      (struct ask){ .name = "Root YE", .of = "P-384", .ca = true }),
		    ye_by_x2 = make(&x2, (struct ask){ .name = "Root YE",
						       .key = ye.key,
						       .ca = true,
						       .hash = EVP_sha384() }),
		    ye1 = make(&ye, (struct ask){ .name = "YE1",
						  .of = "P-384",
						  .basic = "critical,CA:TRUE,pathlen:0",
						  .hash = EVP_sha384() }),
		    mx = make(&ye1, (struct ask){ .name = "mx",
						  .san = "DNS:mx.example.org",
						  .hash = EVP_sha384() });
	const struct made *const anchor[] = { &x1, &x2, &ye };

	EVP_PKEY_up_ref(x2.key);
	EVP_PKEY_up_ref(ye.key);
	for (size_t i = 0; i < 3;
	     i++) { /* what the server sends beyond the anchor does no harm */
		trust(anchor[i]);
		CHECK_EQ(judge("mx.example.org", CHAIN(&mx, &ye1, &ye_by_x2, &x2_by_x1)), 0);
	}
	CHECK_EQ(judge("mx.example.org", CHAIN(&mx, &ye1)), 0);
	trust(&x1);
	CHECK_EQ(judge("mx.example.org", CHAIN(&mx, &ye1)), BR_ERR_X509_NOT_TRUSTED);
	CHECK_EQ(judge("mx.example.org", CHAIN(&mx, &ye1, &ye_by_x2)), BR_ERR_X509_NOT_TRUSTED);
	CHECK_EQ(judge("mx.example.org", CHAIN(&mx)), BR_ERR_X509_NOT_TRUSTED);
	/* Their order is the chain's. */
	CHECK_EQ(judge("mx.example.org", CHAIN(&mx, &ye_by_x2, &ye1, &x2_by_x1)),
		 BR_ERR_X509_DN_MISMATCH);
	drop(&x1), drop(&x2), drop(&x2_by_x1), drop(&ye), drop(&ye_by_x2), drop(&ye1),
		drop(&mx);
}

/* ---- certificates between the anchor and ours ---- */

static void between(void)
{
	static const struct {
		struct ask a;
		unsigned verdict;
	} inters[] = {
		{ { .ca = true }, 0 },
		{ { .ca = false }, BR_ERR_X509_NOT_CA },
		{ { .basic = "CA:TRUE" }, 0 },
		{ { .ca = true, .from = -9, .to = -1 }, BR_ERR_X509_EXPIRED },
		{ { .ca = true, .of = "1024" }, BR_ERR_X509_WEAK_PUBLIC_KEY },
		{ { .ca = true, .constraints = "permitted;DNS:other.example" }, 0 },
		{ { .ca = true, .constraints = "critical,permitted;DNS:example.org" },
		  BR_ERR_X509_CRITICAL_EXTENSION },
		{ { .ca = true, .usage = "clientAuth" }, 0 },
	};

	for (size_t i = 0; i < sizeof inters / sizeof *inters; i++) {
		struct ask a = inters[i].a;
		struct made inter, leaf;

		a.name = "inter";
		inter = make(&root, a);
		leaf = make(&inter, (struct ask){ .name = "x", .san = "DNS:mx.example.org" });
		CHECK_EQ(judge("mx.example.org", CHAIN(&leaf, &inter)), inters[i].verdict);
		drop(&leaf);
		drop(&inter);
	}
}

/* pathlen:0 has one certificate below it. */
static void too_deep(void)
{
	struct made a = make(&root, (struct ask){ .name = "a",
						  .basic = "critical,CA:TRUE,pathlen:0" }),
		    b = make(&a, (struct ask){ .name = "b", .ca = true }),
		    leaf = make(&b, (struct ask){ .name = "x", .san = "DNS:mx.example.org" });

	CHECK_EQ(judge("mx.example.org", CHAIN(&leaf, &b, &a)), BR_ERR_X509_NOT_CA);
	drop(&a), drop(&b), drop(&leaf);
}

/* An anchor is a name and a key: its own dates do not count. */
static void old_anchor(void)
{
	struct made ca = make(NULL,
			      (struct ask){ .name = "old", .ca = true, .from = -9, .to = -1 }),
		    leaf = make(&ca, (struct ask){ .name = "x", .san = "DNS:mx.example.org" });

	trust(&ca);
	CHECK_EQ(judge("mx.example.org", CHAIN(&leaf)), 0);
	drop(&ca), drop(&leaf);
}

int main(void)
{
	root = make(NULL, (struct ask){ .name = "root", .ca = true });
	trust(&root);
	below_the_anchor();
	between();
	too_deep();
	old_anchor();
	signatures();
	roots_below_roots();
	drop(&root);
	TEST_END();
}
