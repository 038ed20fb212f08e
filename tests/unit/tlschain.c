/* SPDX-License-Identifier: ISC */
/* Chains that OpenSSL made, judged as our client judges them: the shapes that authorities use, and what BearSSL's
 * engine takes or refuses by its nature. SECURITY.md says which of these are weaker than one would wish. */
#define _GNU_SOURCE
#include <openssl/pem.h>
#include <string.h>

#include "smtpd/lib/tls.h"
#include "tests/unit/x509.h"

static struct tls client;
static struct tls_anchors anchors;

static void trust(const struct x509_made *m)
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
static unsigned judge(const char *host, const struct x509_made *const *chain)
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

#define CHAIN(...) ((const struct x509_made *const[]){ __VA_ARGS__, NULL })

/* ---- what stands in the one certificate below the anchor ---- */

static struct x509_made root;

static const struct {
	const char *host;
	struct x509_wish a;
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
		struct x509_wish a = leaves[i].a;
		struct x509_made leaf;

		a.name = "somebody";
		leaf = x509_make(&root, a);
		CHECK_ROW(judge(leaves[i].host, CHAIN(&leaf)) == leaves[i].verdict,
			  a.san ? a.san : a.name);
		x509_drop(&leaf);
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
		struct x509_made ca = x509_make(NULL, (struct x509_wish){ .name = "ca",
									  .of = by[i].of,
									  .ca = true }),
				 leaf = x509_make(
					 &ca, (struct x509_wish){ .name = "x",
								  .san = "DNS:mx.example.org",
								  .hash = hash,
								  .pss = by[i].pss });

		trust(&ca);
		CHECK_ROW(judge("mx.example.org", CHAIN(&leaf)) == by[i].verdict, by[i].of);
		x509_drop(&leaf);
		x509_drop(&ca);
	}
}

/* ---- chains as Let's Encrypt makes them: a new root below an old one, and that below one more ---- */

static void roots_below_roots(void)
{
	struct x509_made
		x1 = x509_make(NULL,
			       (struct x509_wish){ .name = "X1", .of = "4096", .ca = true }),
		x2 = x509_make(NULL,
			       (struct x509_wish){ .name = "X2", .of = "P-384", .ca = true }),
		x2_by_x1 = x509_make(
			&x1, (struct x509_wish){ .name = "X2", .key = x2.key, .ca = true }),
		ye = x509_make(NULL, (struct x509_wish){ .name = "Root YE",
							 .of = "P-384",
							 .ca = true }),
		ye_by_x2 = x509_make(&x2, (struct x509_wish){ .name = "Root YE",
							      .key = ye.key,
							      .ca = true,
							      .hash = EVP_sha384() }),
		ye1 = x509_make(&ye, (struct x509_wish){ .name = "YE1",
							 .of = "P-384",
							 .basic = "critical,CA:TRUE,pathlen:0",
							 .hash = EVP_sha384() }),
		mx = x509_make(&ye1, (struct x509_wish){ .name = "mx",
							 .san = "DNS:mx.example.org",
							 .hash = EVP_sha384() });
	const struct x509_made *const anchor[] = { &x1, &x2, &ye };

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
	x509_drop(&x1), x509_drop(&x2), x509_drop(&x2_by_x1), x509_drop(&ye),
		x509_drop(&ye_by_x2), x509_drop(&ye1), x509_drop(&mx);
}

/* ---- certificates between the anchor and ours ---- */

static void between(void)
{
	static const struct {
		struct x509_wish a;
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
		struct x509_wish a = inters[i].a;
		struct x509_made inter, leaf;

		a.name = "inter";
		inter = x509_make(&root, a);
		leaf = x509_make(&inter, (struct x509_wish){ .name = "x",
							     .san = "DNS:mx.example.org" });
		CHECK_EQ(judge("mx.example.org", CHAIN(&leaf, &inter)), inters[i].verdict);
		x509_drop(&leaf);
		x509_drop(&inter);
	}
}

/* pathlen:0 has one certificate below it. */
static void too_deep(void)
{
	struct x509_made a = x509_make(
				 &root,
				 (struct x509_wish){ .name = "a",
						     .basic = "critical,CA:TRUE,pathlen:0" }),
			 b = x509_make(&a, (struct x509_wish){ .name = "b", .ca = true }),
			 leaf = x509_make(&b,
					  (struct x509_wish){ .name = "x",
							      .san = "DNS:mx.example.org" });

	CHECK_EQ(judge("mx.example.org", CHAIN(&leaf, &b, &a)), BR_ERR_X509_NOT_CA);
	x509_drop(&a), x509_drop(&b), x509_drop(&leaf);
}

/* An anchor is a name and a key: its own dates do not count. */
static void old_anchor(void)
{
	struct x509_made ca = x509_make(NULL, (struct x509_wish){ .name = "old",
								  .ca = true,
								  .from = -9,
								  .to = -1 }),
			 leaf = x509_make(&ca,
					  (struct x509_wish){ .name = "x",
							      .san = "DNS:mx.example.org" });

	trust(&ca);
	CHECK_EQ(judge("mx.example.org", CHAIN(&leaf)), 0);
	x509_drop(&ca), x509_drop(&leaf);
}

int main(void)
{
	root = x509_make(NULL, (struct x509_wish){ .name = "root", .ca = true });
	trust(&root);
	below_the_anchor();
	between();
	too_deep();
	old_anchor();
	signatures();
	roots_below_roots();
	x509_drop(&root);
	TEST_END();
}
