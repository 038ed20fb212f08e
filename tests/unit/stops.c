/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/check/stops.h"

static struct stops s;
static uint8_t mem[OUT_STOPS * sizeof(struct out_stop_row) + 8];

static struct out_stop_row row(const struct buf *b, size_t i)
{
	struct out_stop_row r;

	memcpy(&r, b->p + i * sizeof r, sizeof r);
	return r;
}

static void learnt(void)
{
	struct buf b = BUF(mem);

	CHECK_EQ(stops_left(&s, SLICE("gmail.com"), 0), 0);
	stops_learn(&s, SLICE("gmail.com"), 7, 600, 1000);
	stops_learn(&s, SLICE("other.example"), 8, 0, 1000);
	stops_learn(&s, SLICE("nobody.example"), 0, 600, 1000);
	CHECK_EQ(stops_left(&s, SLICE("GMail.com"), 1000), 600);
	CHECK_EQ(stops_left(&s, SLICE("gmail.com"), 1599), 1);
	CHECK_EQ(stops_left(&s, SLICE("gmail.com"), 1600), 0);
	CHECK_EQ(stops_left(&s, SLICE("other.example"), 1000), 0);
	CHECK_EQ(stops_left(&s, SLICE("nobody.example"), 1000), 0);
	/* Another domain of the same operator: one stop for both, and it is over for both. */
	stops_learn(&s, SLICE("workspace.example"), 7, 900, 1100);
	CHECK_EQ(stops_left(&s, SLICE("gmail.com"), 1100), 900);
	stops_put(&s, 1100, &b);
	CHECK_EQ(b.len, sizeof(struct out_stop_row));
	CHECK(row(&b, 0).op == 7 && row(&b, 0).ms == 900);
	stops_learn(&s, SLICE("gmail.com"), 7, 0, 1200);
	CHECK_EQ(stops_left(&s, SLICE("workspace.example"), 1200), 0);
	b.len = 0;
	stops_put(&s, 1200, &b);
	CHECK_EQ(b.len, 0);
}

/* The domain went elsewhere: what its old operator said is not about it. */
static void moved(void)
{
	stops_learn(&s, SLICE("gmail.com"), 7, 600, 1000);
	stops_learn(&s, SLICE("gmail.com"), 9, 0, 1001);
	CHECK_EQ(stops_left(&s, SLICE("gmail.com"), 1001), 0);
}

static void full(void)
{
	struct buf b = BUF(mem);
	char name[32];

	stops_learn(&s, SLICE("first.example"), 1000, 600000, 2000);
	for (unsigned i = 0; i < 3 * STOPS_DOMAINS; i++) {
		snprintf(name, sizeof name, "d%u.example", i);
		stops_learn(&s, slice_of(name), 2000 + i, 0, 2000 + i);
	}
	CHECK(stops_left(&s, SLICE("first.example"), 3000) > 0);
	for (unsigned i = 0; i < 2 * OUT_STOPS; i++) {
		snprintf(name, sizeof name, "d%u.example", i);
		stops_learn(&s, slice_of(name), 5000 + i, 1000, 4000);
	}
	stops_put(&s, 4000, &b);
	CHECK_EQ(b.len, OUT_STOPS * sizeof(struct out_stop_row));
	CHECK(!b.bad);
}

int main(void)
{
	learnt();
	moved();
	full();
	TEST_END();
}
