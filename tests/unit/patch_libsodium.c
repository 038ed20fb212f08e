/* SPDX-License-Identifier: ISC */
/* rootfs/libsodium: the patches: a point of order 2 * L is no member of the main subgroup. */
#include <sodium.h>

#include "tests/unit/test.h"

int main(void)
{
	/* The base point has y = 4/5: 0x58 and 31 times 0x66. Adding the point of order 2, (0, -1), negates
	 * both coordinates: y = -4/5 = p - y, with a sign bit that makes x even or odd; both are tried. */
	uint8_t base[32], sum[32];

	memset(base, 0x66, sizeof base);
	base[0] = 0x58;
	CHECK(sodium_init() >= 0);
	CHECK_EQ(crypto_core_ed25519_is_valid_point(base), 1);
	memset(sum, 0x99, sizeof sum);
	sum[0] = 0x95;
	sum[31] = 0x19;
	CHECK_EQ(crypto_core_ed25519_is_valid_point(sum), 0);
	sum[31] |= 0x80;
	CHECK_EQ(crypto_core_ed25519_is_valid_point(sum), 0);
	TEST_END();
}
