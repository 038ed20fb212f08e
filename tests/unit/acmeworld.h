/* SPDX-License-Identifier: ISC */
/* A certificate authority over real sockets and TLS, as odd as told, and acme between it and real holders. */
#ifndef TESTS_UNIT_ACMEWORLD_H
#define TESTS_UNIT_ACMEWORLD_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keys/acme/acme.h"
#include "keys/holder/acctkey.h"
#include "keys/holder/tlskey.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/certinfo.h"
#include "smtpd/proto/der.h"
#include "smtpd/proto/dnsmsg.h"
#include "tests/unit/cert.h"
#include "tests/unit/test.h"

#define NAMES "mail.example.org www.example.org"

enum { WORLD_BODY = 128 * 1024, DAY = 86400, ALL = 1000 };

static int64_t now; /* when the test began, unix s */

static struct loop loop;
static struct acme *acme; /* anew after each death */
static struct tlskey tls;
static struct acctkey account;
static struct tls_anchors anchors;
static struct cert cert;
static int door_fd; /* bound, as init would give it */
static uint16_t door_port;
static struct chan ask_dns, ask_tls, ask_account, be_dns, be_tls, be_account;
static uint8_t world_rx[6][MSG_MAX];

/* ---- names ---- */

static bool no_names;

static char records[2][300]; /* in the DNS, for each of our names */

static void answer_text(struct call *c)
{
	static const char *const name[] = { "_validation-persist.mail.example.org",
					    "_validation-persist.www.example.org" };
	unsigned i = slice_eq(c->tail, slice_of(name[1]));
	struct dns_reply r = { .result = *records[i] ? DNS_OK : DNS_NXDOMAIN,
			       .n = *records[i] != 0 };
	uint8_t mem[400];
	struct buf b = BUF(mem);

	CHECK(slice_eq(c->tail, slice_of(name[i])));
	buf_be16(&b, (uint16_t)strlen(records[i]));
	buf_put(&b, slice_of(records[i]));
	chan_answer(&c->token, &r, sizeof r, slice_head(buf_slice(&b), r.n ? b.len : 0));
}

static void on_dns(void *ctx, struct call *c)
{
	struct dns_reply r = { .result = no_names ? DNS_FAILED : DNS_OK, .n = !no_names };
	const struct dns_query *q = c->msg;

	(void)ctx;
	if (q->qtype == DNSMSG_TXT && !no_names) {
		answer_text(c);
		return;
	}
	chan_answer(&c->token, &r, sizeof r, no_names ? SLICE("") : SLICE("\0\4\177\0\0\1"));
}

static const struct rule dns_rules[DNS_TYPES] = {
	[DNS_QUERY] = { 1u << P_ACME, sizeof(struct dns_query), 253, 0, on_dns },
};

/* ---- what it issues ---- */

static void put_cn(struct buf *b, const char *cn)
{
	size_t name = der_open(b, DER_SEQUENCE), set = der_open(b, DER_SET),
	       pair = der_open(b, DER_SEQUENCE);

	der_put(b, DER_OID, SLICE("\x55\x04\x03"));
	der_put(b, DER_UTF8, slice_of(cn));
	der_close(b, pair);
	der_close(b, set);
	der_close(b, name);
}

static void put_san(struct buf *b, struct slice names)
{
	size_t e = der_open(b, DER_SEQUENCE), octets, list;

	der_put(b, DER_OID, SLICE("\x55\x1d\x11"));
	octets = der_open(b, DER_OCTETS);
	list = der_open(b, DER_SEQUENCE);
	while (names.n)
		der_put(b, 0x82, slice_word(&names));
	der_close(b, list);
	der_close(b, octets);
	der_close(b, e);
}

/* In PEM. Nobody looks at its signature. */
static void put_issued(struct buf *out, const char *issuer, const char *subject,
		       const char *names, int64_t from, int64_t to)
{
	static uint8_t mem[4096];
	struct buf b = BUF(mem);
	size_t c = der_open(&b, DER_SEQUENCE), tbs = der_open(&b, DER_SEQUENCE), part, list;

	der_put(&b, DER_CONTEXT, SLICE("\2\1\2"));
	der_put(&b, DER_INTEGER, SLICE("\0\x87\x65\x43\x21"));
	der_put(&b, DER_SEQUENCE, SLICE("\6\1\1"));
	put_cn(&b, issuer);
	part = der_open(&b, DER_SEQUENCE);
	der_when(&b, from);
	der_when(&b, to);
	der_close(&b, part);
	put_cn(&b, subject);
	selfsign_put_key(&tls.key, &b);
	part = der_open(&b, DER_CONTEXT + 3);
	list = der_open(&b, DER_SEQUENCE);
	der_put(&b, DER_SEQUENCE, SLICE("\6\3\x55\x1d\x23\4\6\x30\4\x80\2\x69\x88"));
	if (*names)
		put_san(&b, slice_of(names));
	der_close(&b, list);
	der_close(&b, part);
	der_close(&b, tbs);
	der_put(&b, DER_SEQUENCE, SLICE("\6\1\1"));
	der_put(&b, DER_BITS, SLICE("\0sig"));
	der_close(&b, c);
	CHECK(!b.bad);
	buf_put(out, SLICE("-----BEGIN CERTIFICATE-----\n"));
	for (struct slice der = buf_slice(&b); der.n; der = slice_from(der, 48)) {
		base64_put(out, slice_head(der, 48));
		buf_u8(out, '\n');
	}
	buf_put(out, SLICE("-----END CERTIFICATE-----\n"));
}

/* ---- the authority ---- */

static struct {
	/* as told */
	const char *odd; /* requests for this path get `raw` */
	const char *raw; /* NULL: nothing at all, the connection ends */
	int odd_times;	 /* so often; -1: always */
	int bad_nonces;	 /* so many requests in a row are refused for their nonce */
	bool profiles, windows, slow, reused;
	bool stuck;	   /* the order stays pending, whatever is valid */
	const char *extra; /* further members of an authorization's challenges */
	int64_t from, to;  /* of the certificates it issues */
	const char *names, *subject;
	bool told;	/* of the order, since the last finalization */
	unsigned ready; /* finalizations after which the order is as ready as before */
	/* as seen */
	int requests, orders, accounts, nonce;
	char last_order[2048], seen[64][64];
	const char *order_status, *auth_status[2];
	int polls, validations;
	/* the connection at hand */
	struct watch listen;
	struct stream s;
	struct tls tls;
	uint8_t in[16 * 1024], out[4096], body_mem[WORLD_BODY];
	struct buf body;
	struct slice left;
	uint16_t port;
} ca;

/* It looks at port 80. */
static struct {
	struct stream s;
	uint8_t in[1024], out[512];
	struct watch ask; /* it connects first, and asks when that was accepted */
	int of;		  /* number of the authorization */
} look;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;
	char text[2048];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_put(&ca.body, (struct slice){ (uint8_t *)text, (size_t)n });
}

#define BASE "https://ca.example:%u"

static void on_look(struct stream *s, enum stream_event e)
{
	char text[256];

	if (e != STREAM_EOF && e != STREAM_BROKEN && e != STREAM_LATE)
		return;
	snprintf(text, sizeof text, "\r\n\r\ntoken_%d.%s", look.of, acme->talk.print);
	ca.validations++;
	if (s->in.len > strlen(text) && !memcmp(s->in.p, "HTTP/1.1 200", 12) &&
	    !memcmp(s->in.p + s->in.len - strlen(text), text, strlen(text)))
		ca.auth_status[look.of] = "valid";
	else
		ca.auth_status[look.of] = "invalid";
	stream_close(s);
}

static void on_ask(struct watch *w, short got)
{
	char text[200];

	(void)got;
	loop_drop(&loop, w);
	snprintf(text, sizeof text,
		 "GET /.well-known/acme-challenge/token_%d HTTP/1.1\r\nHost: x\r\n\r\n",
		 look.of);
	buf_put(&look.s.out, slice_of(text));
	stream_kick(&look.s);
}

static void validate(int of)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(door_port),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
		close(fd);
		ca.auth_status[of] = "invalid";
		return;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	look.of = of;
	stream_open(&look.s, &loop, fd, BUF(look.in), BUF(look.out), on_look);
	stream_due(&look.s, 10000);
	look.ask = (struct watch){ .fd = -1, .due = loop.now + 20, .ready = on_ask };
	loop_add(&loop, &look.ask);
}

static void say_order(void)
{
	if (!ca.stuck && !strcmp(ca.order_status, "pending") &&
	    !strcmp(ca.auth_status[0], "valid") && !strcmp(ca.auth_status[1], "valid"))
		ca.order_status = "ready";
	if (!strcmp(ca.auth_status[0], "invalid") || !strcmp(ca.auth_status[1], "invalid"))
		ca.order_status = "invalid";
	say("{\"status\":\"%s\",\"authorizations\":[\"" BASE "/authz/0\",\"" BASE
	    "/authz/1\"],\"finalize\":\"" BASE "/finalize\"",
	    ca.order_status, ca.port, ca.port, ca.port);
	if (!strcmp(ca.order_status, "valid"))
		say(",\"certificate\":\"" BASE "/cert\"", ca.port);
	say("}");
}

static void say_auth(int i)
{
	static const char *const name[] = { "mail.example.org", "www.example.org" };

	say("{\"status\":\"%s\",\"identifier\":{\"type\":\"dns\",\"value\":\"%s\"},"
	    "\"challenges\":[%s{\"type\":\"dns-persist-01\",\"url\":\"" BASE
	    "/chall/%d\",\"issuer-domain-names\":[\"ca.example\"]},"
	    "{\"type\":\"http-01\",\"status\":\"pending\",\"url\":\"" BASE
	    "/chall/%d\",\"token\":\"token_%d\"}]}",
	    ca.auth_status[i], name[i], ca.extra ? ca.extra : "", ca.port, i, ca.port, i, i);
}

static bool is(const char *path, const char *want)
{
	return strcmp(path, want) == 0;
}

/* The payload of a request as text. */
static const char *payload_of(struct slice in)
{
	static char text[4096];
	const uint8_t *p = memmem(in.p, in.n, "\"payload\":\"", 11);
	size_t n = 0, len;

	if (!p)
		return "";
	p += 11;
	len = slice_find((struct slice){ p, in.n - (size_t)(p - in.p) }, '"');
	CHECK(!sodium_base642bin((uint8_t *)text, sizeof text - 1, (const char *)p, len, NULL,
				 &n, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
	text[n] = 0;
	return text;
}

/* The body of the answer; the status and further fields. */
static int respond(const char *path, struct slice in, char *fields)
{
	if (is(path, "/dir")) {
		say("{\"newNonce\":\"" BASE "/nonce\",\"newAccount\":\"" BASE
		    "/account\",\"newOrder\":\"" BASE "/order\"",
		    ca.port, ca.port, ca.port);
		if (ca.windows)
			say(",\"renewalInfo\":\"" BASE "/ari\"", ca.port);
		if (ca.profiles)
			say(",\"meta\":{\"profiles\":{\"shortlived\":\"x\"}}");
		say("}");
	} else if (is(path, "/nonce")) {
		return 200;
	} else if (is(path, "/account")) {
		ca.accounts++;
		say("{\"status\":\"valid\"}");
		sprintf(fields, "Location: " BASE "/me\r\n", ca.port);
		return 201;
	} else if (is(path, "/order")) {
		ca.orders++;
		ca.told = true;
		strcpy(ca.last_order, payload_of(in));
		ca.order_status = "pending";
		ca.auth_status[0] = ca.auth_status[1] = ca.reused ? "valid" : "pending";
		say_order();
		sprintf(fields, "Location: " BASE "/order/1\r\n", ca.port);
		return 201;
	} else if (is(path, "/order/1")) {
		ca.told = true;
		if (ca.slow && is(ca.order_status, "processing") && ++ca.polls == 3)
			ca.order_status = "valid";
		say_order();
		strcpy(fields, "Retry-After: 7\r\n");
	} else if (!strncmp(path, "/authz/", 7)) {
		say_auth(path[7] - '0');
	} else if (!strncmp(path, "/chall/", 7)) {
		CHECK(is(payload_of(in), "{}"));
		if (acme->talk.what.proof == TALK_HTTP01)
			validate(path[7] - '0');
		else
			ca.auth_status[path[7] - '0'] = "valid";
		say("{}");
	} else if (is(path, "/finalize")) {
		CHECK(!strncmp(payload_of(in), "{\"csr\":\"MI", 10));
		CHECK(is(ca.order_status, "ready") && ca.told);
		ca.told = false;
		if (ca.ready)
			ca.ready--;
		else
			ca.order_status = ca.slow ? "processing" : "valid";
		ca.polls = 0;
		say_order();
	} else if (is(path, "/cert") || is(path, "/cert/2")) {
		put_issued(&ca.body, "Below", ca.subject, ca.names, ca.from, ca.to);
		put_issued(&ca.body, is(path, "/cert") ? "First Root" : "Second Root", "Below",
			   "", ca.from, ca.to);
		sprintf(fields,
			"Link: <" BASE "/dir>;rel=\"index\"\r\nLink: <" BASE
			"/cert/2>;rel=\"alternate\"\r\n",
			ca.port, ca.port);
	} else if (is(path, "/ari/aYg.AIdlQyE")) {
		say("{\"suggestedWindow\":{\"start\":\"2030-01-01T00:00:00Z\","
		    "\"end\":\"2030-01-02T00:00:00Z\"}}");
		strcpy(fields, "Retry-After: 3600\r\n");
	} else {
		return 404;
	}
	return 200;
}

static void pour(struct stream *s)
{
	struct slice part = slice_head(ca.left, buf_room(&s->out));

	buf_put(&s->out, part);
	ca.left = slice_from(ca.left, part.n);
	if (!ca.left.n)
		stream_end(s);
}

static void answer(struct stream *s, const char *path, struct slice in)
{
	static uint8_t whole_mem[WORLD_BODY + 2048];
	struct buf whole = BUF(whole_mem);
	char head[1024], fields[512] = "";
	bool post = in.p[0] == 'P', refuse = post && ca.bad_nonces > 0;
	int status = 400;

	snprintf(ca.seen[ca.requests++ % 64], 64, "%s", path);
	ca.body = BUF(ca.body_mem);
	ca.body.len = 0;
	if (ca.odd && is(path, ca.odd) && ca.odd_times) {
		ca.odd_times--;
		if (ca.raw)
			buf_put(&whole, slice_of(ca.raw));
	} else {
		if (refuse) {
			ca.bad_nonces--;
			say("{\"type\":\"urn:ietf:params:acme:error:badNonce\"}");
		} else {
			status = respond(path, in, fields);
		}
		snprintf(head, sizeof head,
			 "HTTP/1.1 %d X\r\n%s: n%d\r\n%sContent-Length: %zu\r\n\r\n", status,
			 post || is(path, "/nonce") ? "Replay-Nonce" : "X", ca.nonce++, fields,
			 ca.body.len);
		buf_put(&whole, slice_of(head));
		buf_put(&whole, buf_slice(&ca.body));
	}
	CHECK(!whole.bad);
	ca.left = buf_slice(&whole);
	pour(s);
}

static void on_ca(struct stream *s, enum stream_event e)
{
	static char text[sizeof ca.in + 1], path[256];
	const char *end;
	size_t need = 0;

	if (e == STREAM_DATA && ca.left.n)
		pour(s);
	if (e == STREAM_EOF || e == STREAM_BROKEN || e == STREAM_LATE) {
		stream_close(s);
		return;
	}
	memcpy(text, s->in.p, s->in.len);
	text[s->in.len] = 0;
	end = strstr(text, "\r\n\r\n");
	if (e != STREAM_DATA || !end)
		return;
	if (strstr(text, "Content-Length: "))
		need = (size_t)atoi(strstr(text, "Content-Length: ") + 16);
	if (s->in.len < (size_t)(end - text) + 4 + need)
		return;
	CHECK(sscanf(text, "%*s %255s", path) == 1);
	s->in.len = 0;
	answer(s, path, (struct slice){ (uint8_t *)text, strlen(text) });
}

static void on_listen(struct watch *w, short got)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK), one = 1;

	(void)got;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	stream_close(&ca.s);
	ca.left.n = 0;
	stream_open(&ca.s, &loop, fd, BUF(ca.in), BUF(ca.out), on_ca);
	tls_server(&ca.tls, &cert.id);
	stream_tls(&ca.s, &ca.tls);
}

/* ---- the whole ---- */

static int bound(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t n = sizeof a;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	/* By number: a port that the kernel chose is lost when it no longer listens. */
	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	*port = ntohs(a.sin_port);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	CHECK(bind(fd, (struct sockaddr *)&a, n) == 0);
	return fd;
}

static void wire(struct chan *ask, struct chan *be, unsigned at, enum proc_id from,
		 const struct rule *rules, size_t n, void *ctx)
{
	int pair[2];

	chan_init(ask, &loop, from, 3, world_rx[at]);
	chan_init(be, &loop, P_ACME, 3, world_rx[at + 1]);
	be->rules = rules;
	be->nrules = n;
	be->ctx = ctx;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	chan_wire(ask, pair[0], 1);
	chan_wire(be, pair[1], 1);
}

static struct talk_order wish = { .names = NAMES, .profile = "", .root = "" };

/* acme begins, as after a start of the machine. */
static void born(void)
{
	static char directory[64];

	snprintf(directory, sizeof directory, BASE "/dir", ca.port);
	acme = calloc(1, sizeof *acme);
	acme->talk.env = (struct httpcall_env){ &loop, &ask_dns, &anchors };
	acme->talk.tls_holder = &ask_tls;
	acme->talk.account_holder = &ask_account;
	acme->talk.what = wish;
	acme_init(acme, directory, door_fd);
	acme->tick.due = LOOP_NEVER; /* the test says what time it is */
}

static void die(void)
{
	httpcall_drop(&acme->talk.call);
	ask_drop(&acme->talk.ask);
	ask_drop(&acme->ask);
	loop_drop(&loop, &acme->talk.pause);
	loop_drop(&loop, &acme->tick);
	loop_drop(&loop, &acme->talk.door.listen);
	for (unsigned i = 0; i < DOOR_CLIENTS; i++)
		stream_close(&acme->talk.door.client[i].s);
	stream_close(&ca.s);
	stream_close(&look.s);
	loop_drop(&loop, &look.ask);
	free(acme);
}

/* Until nothing is under way, or so many requests were seen. Pauses take no time. */
static void run(int64_t at, int requests)
{
	int64_t until = loop_clock() + 20000;

	ca.requests = 0;
	acme->tick.due = LOOP_NEVER;
	while (acme_turn(acme, at) == 0 && ca.requests < requests && loop_clock() < until) {
		if (acme->talk.pause.at)
			acme->talk.pause.due = 0;
		loop_round(&loop);
		acme->tick.due = LOOP_NEVER;
	}
	CHECK(loop_clock() < until);
}

/* A machine without account, order and certificate, before an authority that behaves. */
static void fresh(void)
{
	unlink("a/acme/key");
	unlink("b/acme/key");
	unlink("a/tls/chain");
	unlink("b/tls/chain");
	tlskey_init(&tls, slice_of(NAMES), 1700000000, true);
	ca.odd = NULL;
	ca.odd_times = -1;
	ca.bad_nonces = ca.orders = ca.accounts = ca.validations = 0;
	ca.profiles = ca.windows = ca.slow = ca.reused = no_names = ca.stuck = false;
	ca.extra = NULL;
	ca.names = NAMES;
	ca.subject = "x";
	ca.ready = 0;
	ca.from = now - DAY;
	ca.to = now + 89 * DAY;
	wish = (struct talk_order){ .names = NAMES, .profile = "", .root = "" };
	born();
}

static void world(void)
{
	static const char *const folders[] = { "a",	    "b",	 "a/tls",  "b/tls",
					       "a/account", "b/account", "a/acme", "b/acme" };
	static char pem[4096];
	size_t line;

	now = time(NULL);
	CHECK(sodium_init() >= 0);
	loop_init(&loop, ACME_WATCHES + 32);
	cert_make(&cert, "ca.example");
	CHECK(tls_anchors_load(&anchors, (struct slice){ (uint8_t *)pem, cert_pem(&cert, pem) },
			       &line));
	for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++)
		mkdir(folders[i], 0700);
	tlskey_init(&tls, slice_of(NAMES), 1700000000, true);
	acctkey_init(&account, -1);
	wire(&ask_dns, &be_dns, 0, P_DNS, dns_rules, DNS_TYPES, NULL);
	wire(&ask_tls, &be_tls, 2, P_HOLDER_TLS, tlskey_rules, HOLDER_TYPES, &tls);
	wire(&ask_account, &be_account, 4, P_HOLDER_ACME, acctkey_rules, HOLDER_TYPES,
	     &account);
	door_fd = bound(&door_port);
	ca.listen = (struct watch){ bound(&ca.port), POLLIN, LOOP_NEVER, on_listen, 0 };
	CHECK(listen(ca.listen.fd, 5) == 0);
	loop_add(&loop, &ca.listen);
	ca.s.watch.fd = look.s.watch.fd = -1;
}

#endif
