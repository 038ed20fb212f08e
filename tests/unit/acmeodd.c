/* SPDX-License-Identifier: ISC */
/* An authority that does not get on, and machines that restart meanwhile. */
#include "keys/acme/acme.h"

#include <fcntl.h>
#include <stdlib.h>

#include "smtpd/proto/base64.h"
#include "tests/unit/acmeworld.h"

/* Until so many requests were made: how often it paused. */
static int pauses(int requests)
{
	int64_t until = loop_clock() + 20000;
	int n = 0;

	ca.requests = 0;
	while (acme_turn(acme, now) == 0 && ca.requests < requests && loop_clock() < until) {
		if (acme->talk.pause.at) {
			n += acme->talk.pause.due > loop.now;
			acme->talk.pause.due = 0;
		}
		loop_round(&loop);
		acme->tick.due = LOOP_NEVER;
	}
	CHECK(loop_clock() < until);
	return n;
}

/* Both authorizations are valid and the order stays pending: it is looked at now and then, not all the time. */
static void stuck(void)
{
	fresh();
	ca.reused = ca.stuck = true;
	CHECK(pauses(40) >= 9); /* of 36 requests, the order and two authorizations in turn */
	CHECK(!acme->issued && ca.orders == 1);
	ca.stuck = false;
	run(now, ALL);
	CHECK(acme->issued && ca.orders == 1);
	die();
}

/* The first restart goes on where it was; those after it wait as failures do. */
static void restarts(void)
{
	fresh();
	ca.odd = "/finalize";
	ca.raw = NULL;
	while (ca.orders == 0)
		run(now, 1 + ca.requests);
	die();
	born();
	run(now, 3); /* directory, nonce, order */
	CHECK(!strcmp(ca.seen[2], "/order/1"));
	CHECK_EQ(acme->file.failures, 2);
	die();
	/* counted by the clock of the machine, which here stands still */
	for (int64_t at = now, wait = 600; wait <= 6000; wait *= 10) {
		born();
		run(at, ALL);
		CHECK_EQ(ca.requests, 0);
		at = acme_turn(acme, at);
		CHECK(at >= now + wait && at <= now + wait + 60);
		run(at, 3);
		CHECK(!strcmp(ca.seen[2], "/account") || !strcmp(ca.seen[2], "/order/1"));
		die();
	}
	CHECK_EQ(ca.orders, 1);
}

/* What was refused is not asked for again: the next try makes another order. */
static void refused_orders(void)
{
	static const char *const places[] = { "/authz/1", "/chall/1", "/finalize", "/cert" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		fresh();
		ca.odd = places[i];
		ca.odd_times = 1;
		ca.raw = "HTTP/1.1 403 X\r\nReplay-Nonce: n\r\nContent-Length: 2\r\n\r\n{}";
		run(now, ALL);
		CHECK_ROW(!acme->issued && !acme->file.order[0], places[i]);
		run(now + 60, ALL);
		CHECK_ROW(acme->issued && ca.orders == 2, places[i]);
		die();
	}
}

/* What was put off while the clock was years ahead is not waited for. */
static void wrong_clock(void)
{
	const int64_t years = 3000 * (int64_t)DAY;

	fresh();
	ca.odd = "/order";
	ca.odd_times = 1;
	ca.raw = "HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\n{}";
	run(now + years, ALL);
	CHECK(acme->file.failures == 1 && acme->file.next_try > now + years);
	die();
	born();
	run(now, ALL);
	CHECK(acme->issued);
	die();
	fresh();
	ca.odd = "/dir";
	ca.odd_times = 1;
	ca.raw = NULL;
	run(now + years, ALL);
	CHECK(acme->retry_at > now + years);
	run(now, ALL);
	CHECK(acme->issued);
	ca.windows = true;
	acme->window_at = now + years;
	run(now, ALL);
	CHECK(acme->file.window.start != 0);
	die();
	fresh(); /* a wait that an authority could ask for is kept */
	acme->file.next_try = now + 7 * DAY;
	acme->file.failures = 1;
	CHECK(acme_turn(acme, now) == 0);
	run(now, ALL);
	CHECK(ca.requests == 0 && acme_turn(acme, now) == now + 7 * DAY);
	die();
}

/* dns-persist-01: nothing is ordered before the records of all names are there, and no port is opened. */
static void records_that_stay(void)
{
	char right[200];

	snprintf(right, sizeof right, "ca.example; accounturi=" BASE "/me", ca.port);
	fresh();
	acme->talk.what.proof = TALK_DNSPERSIST01;
	acme->talk.what.issuer = "ca.example";
	run(now + DAY, ALL); /* of the machine's own clock nothing is due */
	CHECK(!acme->file.failures && acme->unreached == 1 && !ca.orders);
	strcpy(records[0], right);
	snprintf(records[1], sizeof records[1], "ca.example; accounturi=" BASE "/m", ca.port);
	run(acme->retry_at, ALL); /* of another account, and a longer name for ours */
	snprintf(records[1], sizeof records[1], "%s2", right);
	run(acme->retry_at, ALL);
	snprintf(records[1], sizeof records[1], "x%s", right);
	run(acme->retry_at, ALL);
	CHECK(!acme->file.failures && acme->unreached == 4 && !ca.orders);
	snprintf(records[1], sizeof records[1], "%s; persistUntil=1", right);
	run(acme->retry_at, ALL);
	CHECK(acme->issued && ca.orders == 1 && !ca.validations && !acme->talk.door.admitted);
	die();
}

/* What is over, or issued by nobody, takes no good certificate's place; an order that stays ready is asked for again, but
 * not without a pause, and not for ever. */
static void bad_gifts(void)
{
	struct slice before;

	fresh();
	run(now, ALL);
	before = tls.chain;
	ca.from = now - 90 * DAY;
	ca.to = now - 1;
	run(acme_turn(acme, now), ALL);
	CHECK(ca.orders == 2 && acme->file.failures == 1 && !acme->file.order[0]);
	ca.to = now + 90 * DAY;
	ca.subject = "Below";
	run(acme->file.next_try, ALL);
	CHECK(ca.orders == 3 && acme->file.failures == 2 && slice_eq(before, tls.chain));
	ca.subject = "x";
	ca.names = "elsewhere.example";
	run(acme->file.next_try, ALL);
	CHECK(ca.orders == 4 && acme->file.failures == 3 && !acme->file.order[0]);
	die();
	fresh();
	ca.ready = 5;
	run(now, ALL);
	CHECK(acme->issued && ca.orders == 1 && !ca.ready);
	die();
}

int main(void)
{
	world();
	stuck();
	restarts();
	refused_orders();
	wrong_clock();
	records_that_stay();
	bad_gifts();
	TEST_END();
}
