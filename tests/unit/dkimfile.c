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

static void start(int fd)
{
	dkim = (struct dkimkey){ .rsa = true, .loop = &loop, .selector = SLICE("sel") };
	dkimkey_init(&dkim, SLICE("a.example example.org"), fd);
}

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
	start(fd);
	close(fd);
	CHECK(dkim.slots == 2 && dkim.slot[0].known && dkim.slot[1].known);
	dkimkey_record(&dkim.slot[1], &record);
	CHECK_EQ(dkim_key_parse(buf_slice(&record), &k), DKIM_KEY_OK);
	CHECK_EQ(k.modulus_n, bits / 8);
	pk = (br_rsa_public_key){ k.modulus, k.modulus_n, k.exponent, k.exponent_n };
	CHECK_EQ(dkimrsa_width(&dkim.slot[1].key.rsa) > 1 && bits != 2048, 0);
	for (int slow = 0; slow < 2; slow++) {
		dkim.slot[1].key.rsa.fast &= !slow;
		CHECK(dkimrsa_sign(&dkim.slot[1].key.rsa, sum, &out, 1));
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
	start(memfd_make("none"));
	CHECK(!dkim.slot[1].known && dkim.slot[1].hopeless);
	sizes();
	TEST_END();
}
