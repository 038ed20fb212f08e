/* SPDX-License-Identifier: ISC */
/* The life of a certificate, between an authority that is as odd as told and the holders. */
#include "keys/acme/acme.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "smtpd/proto/base64.h"
#include "tests/unit/acmeworld.h"

/* The issuer of the last certificate that is presented. */
static bool root_is(const char *cn)
{
	struct cur c = CUR(tls.chain);
	struct certinfo info = { 0 };

	while (!cur_end(&c))
		CHECK(certinfo_parse(cur_take(&c, cur_be16(&c)), &info));
	return slice_eq(certinfo_common_name(info.issuer), slice_of(cn));
}

static bool port_open(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(door_port),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;

	close(fd);
	return yes;
}

static void first(void)
{
	fresh();
	CHECK(!port_open());
	run(now, ALL);
	CHECK(acme->issued && root_is("First Root") && !acme->file.order[0]);
	CHECK_EQ(ca.orders, 1);
	CHECK_EQ(ca.validations, 2);
	CHECK(!strcmp(ca.last_order,
		      "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"mail.example.org\"},"
		      "{\"type\":\"dns\",\"value\":\"www.example.org\"}]}"));
	CHECK(!port_open() && !acme->file.failures && acme->file.next_try == now + DAY);
	/* then nothing, until two thirds of its life are over */
	CHECK_EQ(acme_turn(acme, now), ca.from + 60 * DAY);
	die();
	born();
	run(now, ALL);
	CHECK_EQ(acme_turn(acme, now), ca.from + 60 * DAY);
	CHECK_EQ(ca.orders, 1);
	ca.from = now + 59 * DAY;
	ca.to = now + 149 * DAY;
	run(now + 59 * DAY, ALL);
	CHECK_EQ(ca.orders, 2);
	CHECK_EQ(ca.accounts, 1);
	CHECK(acme->not_after == ca.to && !strstr(ca.last_order, "replaces"));
	die();
	CHECK_EQ(acme_renewal(0, 90 * DAY), 60 * DAY);
	CHECK_EQ(acme_renewal(0, 10 * DAY), 6 * DAY + DAY / 3 * 2);
	CHECK_EQ(acme_renewal(0, 6 * DAY), 3 * DAY);
}

static void ways(void)
{
	fresh(); /* authorizations of before, and an authority that takes its time */
	ca.reused = ca.slow = true;
	ca.bad_nonces = 10;
	run(now, ALL);
	CHECK(acme->issued && !ca.validations && ca.polls == 3);
	die();
	fresh();
	wish.profile = "shortlived";
	wish.root = "Second Root";
	ca.profiles = true;
	acme->talk.what = wish;
	run(now, ALL);
	CHECK(acme->issued && root_is("Second Root"));
	CHECK(strstr(ca.last_order, "\"profile\":\"shortlived\"") != NULL);
	die();
	fresh(); /* a profile and a root that are not there */
	wish.profile = "none-such";
	wish.root = "Third Root";
	ca.profiles = true;
	acme->talk.what = wish;
	run(now, ALL);
	CHECK(acme->issued && root_is("First Root") && !strstr(ca.last_order, "profile"));
	die();
}

/* RFC 9773 */
static void windows(void)
{
	const int64_t start = 1893456000, end = start + DAY; /* 2030-01-01 */
	int64_t drawn;

	fresh();
	ca.windows = true;
	ca.to = start + 30 * DAY;
	run(now, ALL);
	drawn = acme->file.renew_at;
	CHECK(drawn >= start && drawn < end && acme_turn(acme, now) == drawn);
	CHECK_EQ(acme->window_at, now + 3600);
	die();
	born(); /* another start draws no other time */
	run(now, ALL);
	CHECK_EQ(acme->file.renew_at, drawn);
	CHECK(!strcmp(acme->talk.certid, "aYg.AIdlQyE"));
	ca.from = drawn;
	ca.to = drawn + 90 * DAY;
	run(drawn, ALL);
	CHECK_EQ(ca.orders, 2);
	CHECK(strstr(ca.last_order, "\"replaces\":\"aYg.AIdlQyE\"") != NULL);
	/* replaced before, says the authority: then without */
	ca.odd = "/order";
	ca.odd_times = 1;
	ca.raw = "HTTP/1.1 409 X\r\nReplay-Nonce: n\r\nContent-Length: 2\r\n\r\n{}";
	acme->file.renew_at = 0;
	ca.from = drawn + 61 * DAY;
	ca.to = drawn + 151 * DAY;
	run(drawn + 61 * DAY, ALL);
	CHECK_EQ(ca.orders, 3);
	CHECK(!strstr(ca.last_order, "replaces") && acme->issued);
	/* and its window lies in the past for every certificate: one a day */
	CHECK_EQ(acme_turn(acme, drawn + 61 * DAY), drawn + 62 * DAY);
	die();
}

/* Killed after each request in turn: it ends well, and no order is asked for twice within a minute. */
static void deaths(void)
{
	int total, k;

	fresh();
	run(now, ALL);
	total = ca.requests;
	CHECK(total > 10);
	CHECK(acme->issued);
	die();
	for (k = 1; k <= total; k++) {
		fresh();
		run(now, k);
		die();
		born();
		run(now, ALL);
		CHECK(ca.orders <= 1);
		if (!acme->issued)
			run(acme->file.next_try, ALL);
		CHECK_ROW(acme->issued && ca.orders <= 2 && ca.accounts <= 2,
			  ca.seen[(ca.requests + 63) % 64]);
		die();
	}
}

#define HEAD "HTTP/1.1 200 OK\r\nReplay-Nonce: n\r\n"

static const struct {
	const char *head,
		*body; /* NULL: the head is all there is, however long; else with its length */
} rubbish[] = {
	{ "hello\r\n", NULL },
	{ HEAD "X: ", NULL },
	{ HEAD "Content-Length: 70000\r\n\r\n", NULL },
	{ HEAD, "{}" },
	{ HEAD, "" },
	{ HEAD, "<html>" },
	{ HEAD, "{\"status\":[[[[[[[[[[[[[[[[[[[[" },
	{ "HTTP/1.1 301 Moved\r\nLocation: https://ca.example/dir\r\n", "" },
	{ "HTTP/1.1 500 X\r\n", "{" },
	{ "HTTP/1.1 429 X\r\n",
	  "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"\\n\"}" },
};

enum { RUBBISH = sizeof rubbish / sizeof *rubbish, BODIES = 7 };

static const char *say_rubbish(size_t k)
{
	static char text[80 * 1024];
	int n = snprintf(text, 2000, "%s", rubbish[k].head);

	if (rubbish[k].body)
		snprintf(text + n, 2000, "Content-Length: %zu\r\n\r\n%s",
			 strlen(rubbish[k].body), rubbish[k].body);
	else if (k)
		memset(text + n, 'x', sizeof text - 1 - (size_t)n);
	return text;
}

/* At each place each kind of nonsense. An old certificate stays. */
static void nonsense(void)
{
	static const char *const places[] = { "/dir",	  "/nonce",    "/account", "/order",
					      "/authz/1", "/finalize", "/cert" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		for (size_t k = 0; k < RUBBISH; k++) {
			/* HEAD has no body that could be wrong */
			bool good = !strcmp(places[i], "/nonce") && k >= 2 && k < BODIES;

			fresh();
			ca.odd = places[i];
			ca.raw = say_rubbish(k);
			run(now, ALL);
			CHECK_ROW(acme->issued == good, rubbish[k].head);
			CHECK_ROW(good || acme->file.failures == 1, places[i]);
			CHECK_ROW(good || acme_turn(acme, now) >= now + 59, rubbish[k].head);
			CHECK(!port_open() && !acme->talk.busy && ca.orders <= 1);
			die();
		}
}

/* Who is not heard is tried again soon; that is no failure that the authority could count. */
static void silence(void)
{
	int64_t until;

	fresh();
	ca.odd = "/dir";
	ca.raw = NULL;
	for (int i = 0; i < 14; i++) {
		int64_t wait = 2 << i;

		run(now + 7200 * i, ALL);
		CHECK(!acme->file.failures && acme->unreached == (unsigned)i + 1);
		CHECK_EQ(acme->retry_at, now + 7200 * i + (wait < 3600 ? wait : 3600));
	}
	ca.odd = NULL;
	run(now + 2 * DAY, ALL);
	CHECK(acme->issued && !acme->unreached);
	die();
	fresh();
	no_names = true;
	run(now, ALL);
	CHECK(!acme->file.failures && acme->unreached == 1);
	die();
	fresh(); /* an octet now and then: the connection has its time */
	ca.odd = "/dir";
	ca.raw = "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n";
	acme_turn(acme, now);
	until = loop_clock() + 30000;
	while (acme->unreached == 0 && loop_clock() < until) {
		if (acme->talk.pause.at)
			acme->talk.pause.due = 0;
		acme_turn(acme, now);
		loop_round(&loop);
		acme->tick.due = LOOP_NEVER;
		if (acme->talk.call.reply.status)
			acme->talk.call.stream.watch.due = 0;
	}
	CHECK(acme->unreached == 1 && !acme->file.failures && !acme->talk.busy);
	die();
}

/* RULES A7, across restarts; A8. */
static void failures(void)
{
	static const int64_t wait[] = { 60, 600, 6000, DAY, DAY };
	int64_t t = now;

	fresh();
	ca.from = now - 80 * DAY; /* in its last third from the beginning */
	ca.to = now + 10 * DAY;
	run(now, ALL);
	CHECK(acme->issued && !acme->alarmed);
	for (int i = 0; i < 3;
	     i++) { /* due, but not again on the same day, however often we start */
		run(now, ALL);
		CHECK(acme_turn(acme, now) == now + DAY && ca.orders == 1);
		die();
		born();
	}
	t = now + DAY;
	ca.odd = "/authz/1";
	ca.raw = HEAD "Content-Length: 2\r\n\r\n{}";
	for (size_t i = 0; i < sizeof wait / sizeof *wait; i++) {
		struct slice before = tls.chain;

		run(t, ALL);
		CHECK_EQ(acme->file.failures, i + 1);
		CHECK_EQ(acme->file.next_try, t + wait[i]);
		CHECK(slice_eq(before, tls.chain) && acme->issued && acme->alarmed >= now);
		t = acme->file.next_try;
		die();
		born();
		run(t - 1, ALL);
		CHECK_EQ(acme_turn(acme, t - 1), t);
	}
	ca.odd = NULL;
	ca.from = now;
	ca.to = now + 90 * DAY;
	run(t, ALL);
	CHECK(acme->not_after == ca.to && !acme->file.failures && !acme->alarmed);
	die();
	fresh(); /* the authority names the time */
	ca.odd = "/order";
	ca.raw = "HTTP/1.1 503 X\r\nRetry-After: 7777\r\nContent-Length: 0\r\n\r\n";
	run(now, ALL);
	CHECK_EQ(acme->file.next_try, now + 7777);
	die();
	fresh(); /* more refused nonces than can be chance */
	ca.bad_nonces = 1000;
	run(now, ALL);
	CHECK(acme->file.failures == 1 && ca.requests < 40);
	die();
	fresh(); /* the authority cannot see the file: the order is over, the next one is another */
	ca.odd = "/chall/0";
	ca.odd_times = 1;
	ca.raw = "HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n{}";
	run(now, ALL);
	CHECK(acme->file.failures == 1 && !port_open());
	die();
}

/* Other names, or another kind of key: a new order at once, and what is there serves until it is good. */
static void another_wish(void)
{
	struct slice before;

	fresh();
	run(now, ALL);
	before = tls.chain;
	die();
	wish.names = "mx.example.org new.example.net";
	tlskey_init(&tls, slice_of(wish.names), 1700000000, true);
	born();
	ca.odd = "/order";
	ca.odd_times = 1;
	ca.raw = "HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\n{}";
	run(now, ALL);
	CHECK(acme->other && acme->file.failures == 1 && acme->talk.certid[0]);
	CHECK(slice_eq(before, tls.chain) && acme->issued);
	ca.names = wish.names;
	run(now + 60, ALL);
	CHECK(!acme->other && ca.orders == 2 && strstr(ca.last_order, "new.example.net"));
	CHECK_EQ(acme->file.next_try, now + 60 + DAY);
	die();
}

/* Nothing is ordered before keygen.tls has made the key. */
static void no_key(void)
{
	struct slice before;

	fresh();
	run(now, ALL);
	before = tls.chain;
	die();
	tls.wants_rsa = wish.rsa = true;
	born();
	run(now, ALL);
	CHECK(acme->other && acme->unreached && !ca.requests && !acme->file.failures);
	CHECK(slice_eq(before, tls.chain));
	tls.wants_rsa = false;
	die();
}

int main(void)
{
	world();
	first();
	ways();
	windows();
	deaths();
	nonsense();
	silence();
	failures();
	another_wish();
	no_key();
	TEST_END();
}
