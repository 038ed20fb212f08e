/* SPDX-License-Identifier: ISC */
/* holder.dkim with a key that came with the image, in each size. */
#define _GNU_SOURCE
#include <bearssl.h>
#include <unistd.h>

#include "keys/holder/dkimkey.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/proto/dkim_key.h"
#include "tests/unit/test.h"

static struct loop loop;
static struct dkimkey dkim;
static struct dkimrsa made;

/* Signs with the key that its record shows; there is no folder of keys here. */
static void imported(unsigned bits)
{
	uint8_t text[DKIMKEY_RECORD], sig[DKIMRSA_N_MAX], *const out = sig;
	static const uint8_t sum[1][32] = { { 7 } };
	uint8_t back[32];
	struct buf record = BUF(text);
	struct dkim_key k;
	br_rsa_public_key pk;
	int fd = memfd_make("key");

	dkimrsa_make(&made, bits);
	CHECK(memfd_append(fd, 0, dkimrsa_secret(&made)) && memfd_seal(fd));
	dkimkey_init(&dkim, &loop, false, SLICE("example.org"), SLICE("sel"), fd);
	close(fd);
	CHECK(dkim.known && dkim.timer.due == LOOP_NEVER);
	dkimkey_record(&dkim, &record);
	CHECK_EQ(dkim_key_parse(buf_slice(&record), &k), DKIM_KEY_OK);
	CHECK_EQ(k.modulus_n, bits / 8);
	pk = (br_rsa_public_key){ k.modulus, k.modulus_n, k.exponent, k.exponent_n };
	CHECK_EQ(dkimrsa_width(&dkim.rsa) > 1 && bits != 2048, 0);
	for (int slow = 0; slow < 2; slow++) {
		dkim.rsa.fast &= !slow;
		CHECK(dkimrsa_sign(&dkim.rsa, sum, &out, 1));
		CHECK(br_rsa_i31_pkcs1_vrfy(sig, bits / 8, BR_HASH_OID_SHA256, sizeof back, &pk,
					    back) &&
		      !memcmp(back, sum, sizeof back));
	}
	loop_drop(&loop, &dkim.timer);
	loop_drop(&loop, &dkim.batch);
}

static void sizes(void)
{
	uint8_t secret[DKIMRSA_OCTETS_MAX + 7] = { 0 };

	for (size_t n = 0; n <= sizeof secret; n++)
		CHECK_EQ(dkimrsa_take(&made, (struct slice){ secret, n }),
			 n == 896 || n == 1344 || n == 1792);
}

int main(void)
{
	loop_init(&loop, 8);
	imported(2048);
	imported(3072);
	imported(4096);
	/* Nothing was imported, and there is no key device. */
	dkimkey_init(&dkim, &loop, false, SLICE("example.org"), SLICE("sel"),
		     memfd_make("none"));
	CHECK(!dkim.known && dkim.hopeless);
	sizes();
	TEST_END();
}
