/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/queue/reason.h"

int main(void)
{
	static struct reasons t;
	static uint8_t text[REASON_TEXT + 40];
	const uint8_t enhanced[3] = { 4, 2, 1 }, other[3] = { 4, 2, 2 };
	uint32_t first = reason_note(&t, 450, enhanced, SLICE("full")), last = 0;

	CHECK(first && !reason_get(&t, 0) && !reason_get(&t, first + 1));
	CHECK_EQ(reason_note(&t, 450, enhanced, SLICE("full")), first);
	CHECK(reason_note(&t, 451, enhanced, SLICE("full")) != first);
	CHECK(reason_note(&t, 450, other, SLICE("full")) != first);
	CHECK_EQ(reason_get(&t, first)->code, 450);
	CHECK_SLICE(((struct slice){ reason_get(&t, first)->text, 4 }), "full");
	for (unsigned i = 0; i < 2 * REASONS; i++) {
		memset(text, 'a' + (int)(i % 20), sizeof text);
		text[0] = (uint8_t)('0' + i % 70);
		last = reason_note(&t, (uint16_t)(400 + i / 70), enhanced,
				   (struct slice){ text, sizeof text });
	}
	CHECK(!reason_get(&t, first)); /* gave way */
	CHECK_EQ(reason_get(&t, last)->n, REASON_TEXT);
	t.last = UINT32_MAX;
	CHECK(reason_note(&t, 499, other, SLICE("x")) == 1);
	TEST_END();
}
