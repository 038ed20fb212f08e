/* SPDX-License-Identifier: ISC */
#include "keys/acme/orderfile.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define DIRECTORY "https://ca.example/dir"

static struct orderfile o, back;

static void fill(void)
{
	memset(&o, 0, sizeof o);
	o.next_try = 1800000000;
	o.renew_at = 0x123456789a;
	o.window = (struct acmedoc_window){ 5, 6 };
	o.failures = 3;
	strcpy(o.directory, DIRECTORY);
	strcpy(o.account, "https://ca.example/account/1");
	strcpy(o.order, "https://ca.example/order/1");
}

static void form(void)
{
	uint8_t mem[4096];
	struct buf b = BUF(mem);

	fill();
	orderfile_put(&o, &b);
	for (size_t n = 0; n < b.len; n++)
		CHECK(!orderfile_get((struct slice){ mem, n }, &back));
	CHECK(!orderfile_get((struct slice){ mem, b.len + 1 }, &back));
	CHECK(orderfile_get(buf_slice(&b), &back));
	CHECK(back.next_try == o.next_try && back.renew_at == o.renew_at &&
	      back.window.end == 6 && back.failures == 3 && !strcmp(back.order, o.order));
	strcpy(o.order, "gopher://x");
	b = BUF(mem);
	orderfile_put(&o, &b);
	CHECK(!orderfile_get(buf_slice(&b), &back));
}

static void disk(void)
{
	CHECK(!orderfile_load(&back, DIRECTORY)); /* no folder: no key disk */
	mkdir("a", 0700);
	mkdir("a/acme", 0700);
	CHECK(orderfile_load(&back, DIRECTORY) && !back.account[0] && !back.failures &&
	      !strcmp(back.directory, DIRECTORY));
	fill();
	CHECK(orderfile_save(&o) && orderfile_load(&back, DIRECTORY));
	CHECK(!strcmp(back.account, o.account) && back.failures == 3);
	/* an account belongs to one authority */
	CHECK(orderfile_load(&back, "https://other.example/dir") && !back.account[0] &&
	      !back.next_try && !strcmp(back.directory, "https://other.example/dir"));
	CHECK(truncate("a/acme/key", 60) == 0);
	CHECK(orderfile_load(&back, DIRECTORY) && !back.account[0]);
	CHECK(orderfile_save(&o) && orderfile_load(&back, DIRECTORY) && back.failures == 3);
}

/* RULES A7: one minute, ten, a hundred, then a day. */
static void waits(void)
{
	static const int64_t wait[] = { 60, 600, 6000, 86400, 86400 };

	memset(&o, 0, sizeof o);
	for (unsigned i = 0; i < sizeof wait / sizeof *wait; i++) {
		orderfile_failed(&o, 1000, false);
		CHECK(o.failures == i + 1 && o.next_try == 1000 + wait[i]);
		o.next_try = 0;
		orderfile_failed(&o, 2000, true); /* the same one again */
		CHECK(o.failures == i + 1 && o.next_try == 2000 + wait[i]);
	}
	o.failures = UINT64_MAX - 1;
	orderfile_failed(&o, 0, false);
	CHECK_EQ(o.next_try, 86400);
}

int main(void)
{
	form();
	disk();
	waits();
	TEST_END();
}
