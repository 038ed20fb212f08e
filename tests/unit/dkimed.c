/* SPDX-License-Identifier: ISC */
#include "keys/holder/dkimed.h"

#include <bearssl.h>

#include "smtpd/proto/base64.h"
#include "tests/unit/test.h"

/* The letter of RFC 8463 A.3, relaxed, and its signature with the key of A.2. */
#define SEED   "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define SIGNATURE \
	"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
#define PREIMAGE                                                                                  \
	"from:Joe SixPack <joe@football.example.com>\r\n"                                         \
	"to:Suzie Q <suzie@shopping.example.net>\r\n"                                             \
	"subject:Is dinner ready?\r\n"                                                            \
	"date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                          \
	"message-id:<20030712040037.46341.5F8J@football.example.com>\r\n"                         \
	"dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; "       \
	"i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; h=from : to : subject : "  \
	"date : message-id : from : subject : date; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOz" \
	"v8=; b="

static struct dkimed e;

static void equal(const uint8_t *got, size_t n, const char *b64)
{
	uint8_t mem[DKIMED_SIGNATURE];
	struct buf want = BUF(mem);

	CHECK(base64_get(slice_of(b64), &want) && want.len == n && !memcmp(got, mem, n));
}

static void appendix(void)
{
	struct slice preimage = SLICE(PREIMAGE);
	uint8_t sum[32], sig[DKIMED_SIGNATURE];
	struct buf seed = BUF(e.seed);
	br_sha256_context h;

	CHECK(base64_get(SLICE(SEED), &seed));
	dkimed_prepare(&e);
	equal(e.public, sizeof e.public, PUBLIC);
	br_sha256_init(&h);
	br_sha256_update(&h, preimage.p, preimage.n);
	br_sha256_out(&h, sum);
	CHECK(dkimed_sign(&e, sum, sig));
	equal(sig, sizeof sig, SIGNATURE);
}

/* A fault in any part of what it signs with is seen. */
static void faults(void)
{
	uint8_t sum[32] = { 1 }, sig[DKIMED_SIGNATURE], first[DKIMED_SEED];

	dkimed_make(&e);
	CHECK(dkimed_sign(&e, sum, sig));
	for (size_t i = 0; i < sizeof e.pair; i++) {
		e.pair[i] ^= 8;
		CHECK(!dkimed_sign(&e, sum, sig));
		e.pair[i] ^= 8;
	}
	CHECK(dkimed_sign(&e, sum, sig));
	memcpy(first, e.seed, sizeof first);
	dkimed_make(&e);
	CHECK(memcmp(first, e.seed, sizeof first));
}

int main(void)
{
	appendix();
	faults();
	TEST_END();
}
