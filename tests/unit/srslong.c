/* SPDX-License-Identifier: ISC */
#include "keys/holder/srslong.h"

#include <stdio.h>

#include "tests/unit/test.h"

static struct srslong l;

static struct slice name_of(unsigned i, uint8_t mem[SRSLONG_NAME])
{
	struct buf b = { .p = mem, .cap = SRSLONG_NAME };
	char address[40];

	snprintf(address, sizeof address, "sender%u@a.example", i);
	srslong_put(&l, slice_of(address), &b);
	CHECK(!b.bad && b.len == SRSLONG_NAME);
	return buf_slice(&b);
}

static bool known(struct slice name, const char *address)
{
	uint8_t mem[PATH_OCTETS];
	struct buf b = BUF(mem);

	return srslong_get(&l, name, &b) && slice_eq(buf_slice(&b), slice_of(address));
}

int main(void)
{
	uint8_t first[SRSLONG_NAME], again[SRSLONG_NAME], other[SRSLONG_NAME];
	struct slice f = name_of(0, first);

	CHECK(known(f, "sender0@a.example"));
	CHECK(slice_eq(f, name_of(0, again)));
	CHECK(!slice_eq(f, name_of(1, other)));
	for (size_t i = 0; i < SRSLONG_NAME; i++)
		again[i] = first[i] >= 'a' ? first[i] - 32 : first[i];
	CHECK(known((struct slice){ again, SRSLONG_NAME }, "sender0@a.example"));
	CHECK(!known(slice_head(f, SRSLONG_NAME - 1), "sender0@a.example"));
	CHECK(!known(SLICE(""), ""));
	for (unsigned i = 2; i < SRSLONG_ROWS; i++)
		name_of(i, other);
	CHECK(known(f, "sender0@a.example"));
	name_of(SRSLONG_ROWS, other); /* takes the place of the first */
	CHECK(!known(f, "sender0@a.example"));
	CHECK(known((struct slice){ other, SRSLONG_NAME }, "sender1024@a.example"));
	TEST_END();
}
