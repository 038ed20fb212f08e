/* SPDX-License-Identifier: ISC */
/* check.mx judges strangers: each row of the verdict, names that fail, a dns that dies, more letters than places. */
#define _GNU_SOURCE
#include "smtpd/check/judge.h"

#include <bearssl.h>
#include <sodium.h>
#include <sys/mman.h>

#include "smtpd/check/check.h"
#include "smtpd/check/verdict.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/msg/out.h"
#include "smtpd/proto/base64.h"
#include "tests/unit/fakedns.h"
#include "tests/unit/test.h"
#include "tests/unit/wires.h"

enum { TEXT = 300 * 1024 };

static char domain[256], own_spf[300]; /* the first mail domain of this configuration */
static struct check c;
static uint32_t next_id;
static uint8_t key[32];
static unsigned char secret[crypto_sign_SECRETKEYBYTES];
static char key_record[128];
static union {
	struct msg h;
	struct answer answer;
	struct out_result out;
	uint8_t b[MSG_MAX];
} got;
static size_t got_n;
static int got_fd[2];

/* ---- names ---- */

#define TXT(name, text)                                           \
	{                                                         \
		name, DNSMSG_TXT, DNS_OK,                         \
		{                                                 \
			(const uint8_t *)(text), sizeof(text) - 1 \
		}                                                 \
	}
#define FAILS(name, type)               \
	{                               \
		name, type, DNS_FAILED, \
		{                       \
			NULL, 0         \
		}                       \
	}

static struct fakedns_row zone[] = {
	TXT("_dmarc.reject.example", "v=DMARC1; p=reject"),
	TXT("reject.example", "v=spf1 ip4:192.0.2.1 -all"),
	{ "s._domainkey.reject.example", DNSMSG_TXT, DNS_OK, { NULL, 0 } },
	TXT("_dmarc.quarantine.example", "v=DMARC1; p=quarantine"),
	TXT("_dmarc.none.example", "v=DMARC1; p=none"),
	TXT("_dmarc.testing.example", "v=DMARC1; p=reject; t=y"),
	TXT("fail.example", "v=spf1 -all"),
	{ "gone.example", DNSMSG_MX, DNS_NXDOMAIN, { NULL, 0 } },
	{ "gone.example", DNSMSG_A, DNS_NXDOMAIN, { NULL, 0 } },
	{ "bare.example", DNSMSG_A, DNS_NODATA, { NULL, 0 } },
	{ "six.example", DNSMSG_A, DNS_NODATA, { NULL, 0 } },
	{ "six.example",
	  DNSMSG_AAAA,
	  DNS_OK,
	  { (const uint8_t *)"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16 } },
	{ "odd.example", DNSMSG_MX, DNS_NXDOMAIN, { NULL, 0 } },
	FAILS("dim.example", DNSMSG_A),
	{ "null.example", DNSMSG_MX, DNS_OK, { (const uint8_t *)"\0", 2 } },
	{ "good.example", DNSMSG_MX, DNS_OK, { (const uint8_t *)"\0\12mx.good.example", 17 } },
	FAILS("dark.example", DNSMSG_MX),
	TXT("_dmarc.spfless.example", "v=DMARC1; p=reject"),
	FAILS("spfless.example", DNSMSG_TXT),
	TXT("_dmarc.mild.example", "v=DMARC1; p=none"),
	FAILS("mild.example", DNSMSG_TXT),
	FAILS("_dmarc.hidden.example", DNSMSG_TXT),
	TXT("_dmarc.keyless.example", "v=DMARC1; p=reject"),
	FAILS("s._domainkey.keyless.example", DNSMSG_TXT),
	{ domain, DNSMSG_TXT, DNS_OK, { (const uint8_t *)own_spf, 0 } },
	{ "1.2.0.192.first.example",
	  DNSMSG_A,
	  DNS_OK,
	  { (const uint8_t *)"\177\377\377\376", 4 } },
	{ "1.2.0.192.second.example", DNSMSG_A, DNS_OK, { (const uint8_t *)"\177\0\0\2", 4 } },
	FAILS("1.2.0.192.dead.example", DNSMSG_A),
	{ NULL, 0, DNS_OK, { NULL, 0 } },
};

static void set_row(const char *name, struct slice record)
{
	for (struct fakedns_row *r = zone; r->name; r++)
		if (r->type == DNSMSG_TXT && strcmp(r->name, name) == 0)
			r->record = record;
}

/* dns and holder.srs, which rewrites every sender to the same address. */
static void others(void)
{
	union {
		struct msg h;
		uint8_t b[1024];
	} m;
	struct holder_reply r = { .result = HOLDER_DONE };

	fakedns_serve();
	while (recv(wires_far[CH_CHECK_MX_HOLDER_SRS], &m, sizeof m, MSG_DONTWAIT) > 0) {
		r.h = (struct msg){ .type = m.h.type, .id = m.h.id };
		wires_put(CH_CHECK_MX_HOLDER_SRS, &r, sizeof r, SLICE("a@b.example"), -1, -1);
	}
}

/* ---- letters ---- */

static void put_base64(struct buf *b, const void *p, size_t n)
{
	base64_put(b, (struct slice){ p, n });
}

/* Before the From: field that *from is, a signature of it and of the body. */
static void sign(struct buf *b, struct slice from, const char *signer, struct slice body)
{
	size_t at = b->len;
	br_sha256_context h;
	uint8_t sum[32], sig[crypto_sign_BYTES];

	br_sha256_init(&h);
	br_sha256_update(&h, body.p, body.n);
	br_sha256_out(&h, sum);
	buf_put(b, SLICE("DKIM-Signature: v=1; a=ed25519-sha256; s=s; h=from; d="));
	buf_put(b, slice_of(signer));
	buf_put(b, SLICE("; bh="));
	put_base64(b, sum, sizeof sum);
	buf_put(b, SLICE("; b="));
	br_sha256_init(&h);
	br_sha256_update(&h, from.p, from.n);
	br_sha256_update(&h, b->p + at, b->len - at);
	br_sha256_out(&h, sum);
	crypto_sign_detached(sig, NULL, sum, sizeof sum, secret);
	put_base64(b, sig, sizeof sig);
	buf_put(b, SLICE("\r\n"));
}

struct row {
	const char *what;
	const char *sender, *from, *signer; /* signer NULL: not signed */
	uint16_t code;			    /* 0: it is sent on */
	uint8_t subject, detail;
	const char *helo, *rcpt, *extra; /* NULL: the usual; extra: a field */
	bool broken;			 /* the body is not the one that was signed */
	size_t large;			 /* octets of body */
};

static void give(const struct row *r)
{
	static uint8_t bytes[TEXT], body_bytes[TEXT];
	uint8_t from_bytes[300], head_bytes[2048];
	struct buf text = BUF(bytes), body = BUF(body_bytes), from = BUF(from_bytes);
	struct buf head = BUF(head_bytes);
	struct check_letter m = { .h = { .type = CHECK_LETTER, .id = ++next_id } };
	char rcpt[300];
	int t, e;

	do
		buf_put(&body, SLICE("A line of the body\r\n"));
	while (body.len < r->large);
	buf_put(&from, SLICE("From: <a@"));
	buf_put(&from, slice_of(r->from));
	buf_put(&from, SLICE(">\r\n"));
	if (r->signer)
		sign(&text, buf_slice(&from), r->signer, buf_slice(&body));
	buf_put(&text, buf_slice(&from));
	buf_put(&text, slice_of(r->extra));
	buf_put(&text, SLICE("\r\n"));
	buf_put(&text, buf_slice(&body));
	if (r->broken)
		bytes[text.len - 3] ^= 1;
	snprintf(rcpt, sizeof rcpt, "%s@%s", r->rcpt ? r->rcpt : "hello", domain);
	envelope_put(&head, ENV_SENDER, slice_of(r->sender));
	envelope_put(&head, ENV_RCPT, slice_of(rcpt));
	envelope_put(&head, ENV_HELO, slice_of(r->helo ? r->helo : "client.example"));
	envelope_put(&head, ENV_PEER, SLICE("192.0.2.1"));
	envelope_put(&head, ENV_WITH, SLICE("ESMTP"));
	envelope_put_header(&head, SLICE(""));
	CHECK(!text.bad && !head.bad);
	m.text_size = text.len;
	t = wires_sealed(buf_slice(&text));
	e = wires_sealed(buf_slice(&head));
	wires_put(CH_FRONT_MX_CHECK_MX, &m, sizeof m, SLICE(""), t, e);
	close(t);
	close(e);
}

static bool get(enum chan_id ch, int rounds)
{
	memfd_close(&got_fd[0]);
	memfd_close(&got_fd[1]);
	got_n = wires_get(&c.proc, ch, &got, sizeof got, got_fd, rounds);
	return got_n != 0;
}

static void out_says(uint16_t code, uint16_t n)
{
	static const struct slice host = SLICE("mx.example.net");
	struct out_result m = { .h = { .type = OUT_DELIVER, .id = got.h.id },
				.host_len = (uint8_t)host.n,
				.policy = "pinned" };
	struct out_verdict v = { code, { (uint8_t)(code / 100), 7, 26 }, 0, n };
	uint8_t tail[1024];
	struct buf b = BUF(tail);

	buf_put(&b, host);
	buf_put(&b, (struct slice){ (const uint8_t *)&v, sizeof v });
	while (n--)
		buf_u8(&b, 'x');
	wires_put(CH_CHECK_MX_OUT_MX, &m, sizeof m, buf_slice(&b), -1, -1);
}

/* What becomes of the letter: the code that the client gets, or 0, and got is what out.mx got. */
static unsigned fate(void)
{
	for (int i = 0; i < 200; i++) {
		if (get(CH_FRONT_MX_CHECK_MX, 0))
			return got.answer.code;
		if (get(CH_CHECK_MX_OUT_MX, 1))
			return 0;
	}
	return 999;
}

static void judge_row(const struct row *r)
{
	unsigned code;

	give(r);
	code = fate();
	CHECK_ROW(code == r->code, r->what);
	if (code != r->code)
		fprintf(stderr, "\t%u\n", code);
	if (!code) {
		CHECK_ROW(got.h.type == OUT_DELIVER, r->what);
		out_says(250, 2);
		CHECK_ROW(fate() == 250, r->what);
		return;
	}
	CHECK_ROW(got.answer.enhanced[0] == r->code / 100, r->what);
	CHECK_ROW(got.answer.enhanced[1] == r->subject, r->what);
	CHECK_ROW(got.answer.enhanced[2] == r->detail, r->what);
}

/* ---- the rows ---- */

#define SIGNED	"reject.example"
#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"
/* 254 octets: From: may hold it, and DNS has no such name */
#define LONG_NAME   LABEL63 "." LABEL63 "." LABEL63 ".b" LABEL61
#define LONG_SENDER LABEL63 "." LABEL63 ".example"
#define LABEL61	    "3456789012345678901234567890123456789012345678901234567890123"

static const struct row usual[] = {
	{ .what = "nobody says anything", "a@other.example", "other.example", NULL, 0, 0, 0 },
	{ .what = "an exchanger", "a@good.example", "good.example", NULL, 0, 0, 0 },
	{ .what = "SPF vouches", "a@reject.example", "reject.example", NULL, 0, 0, 0 },
	{ .what = "DKIM vouches", "a@other.example", "reject.example", SIGNED, 0, 0, 0 },
	{ .what = "DKIM vouches for a long one",
	  "a@other.example",
	  "reject.example",
	  SIGNED,
	  0,
	  0,
	  0,
	  .large = 200 * 1024 },
	{ .what = "forged", "a@other.example", "reject.example", NULL, 550, 7, 1 },
	{ .what = "changed",
	  "a@other.example",
	  "reject.example",
	  SIGNED,
	  550,
	  7,
	  1,
	  .broken = true },
	{ .what = "a long one, changed at its end",
	  "a@other.example",
	  "reject.example",
	  SIGNED,
	  550,
	  7,
	  1,
	  .large = 200 * 1024,
	  .broken = true },
	{ .what = "signed by another",
	  "a@other.example",
	  "reject.example",
	  "other.example",
	  550,
	  7,
	  1 },
	{ .what = "p=quarantine", "a@other.example", "quarantine.example", NULL, 0, 0, 0 },
	{ .what = "p=none", "a@other.example", "none.example", NULL, 0, 0, 0 },
	{ .what = "t=y", "a@other.example", "testing.example", NULL, 0, 0, 0 },
	{ .what = "no such sender", "a@gone.example", "other.example", NULL, 550, 7, 27 },
	{ .what = "neither exchanger nor address",
	  "a@bare.example",
	  "other.example",
	  NULL,
	  550,
	  7,
	  27 },
	{ .what = "an IPv6 address", "a@six.example", "other.example", NULL, 0, 0, 0 },
	{ .what = "an address, says the same server",
	  "a@odd.example",
	  "other.example",
	  NULL,
	  0,
	  0,
	  0 },
	{ .what = "address not looked up", "a@dim.example", "other.example", NULL, 451, 4, 3 },
	{ .what = "From: cannot be looked up", "a@other.example", LONG_NAME, NULL, 550, 6, 0 },
	{ .what = "null MX", "a@null.example", "other.example", NULL, 550, 7, 27 },
	{ .what = "null MX, and DKIM vouches",
	  "a@null.example",
	  "reject.example",
	  SIGNED,
	  550,
	  7,
	  27 },
	{ .what = "a literal", "a@[192.0.2.1]", "other.example", NULL, 0, 0, 0 },
	{ .what = "sender not looked up", "a@dark.example", "other.example", NULL, 451, 4, 3 },
	{ .what = "SPF not looked up, p=reject",
	  "a@spfless.example",
	  "spfless.example",
	  NULL,
	  451,
	  4,
	  3 },
	{ .what = "SPF not looked up, p=none", "a@mild.example", "mild.example", NULL, 0, 0, 0 },
	{ .what = "policy not looked up", "a@other.example", "hidden.example", NULL, 451, 4, 3 },
	{ .what = "key not looked up",
	  "a@other.example",
	  "keyless.example",
	  "keyless.example",
	  451,
	  4,
	  3 },
	{ .what = "key not looked up, of no use",
	  "a@other.example",
	  "reject.example",
	  "keyless.example",
	  550,
	  7,
	  1 },
	{ .what = "SPF fail alone", "a@fail.example", "other.example", NULL, 0, 0, 0 },
	{ .what = "<>, HELO vouches",
	  "",
	  "reject.example",
	  NULL,
	  0,
	  0,
	  0,
	  .helo = "reject.example" },
	{ .what = "<>, forged", "", "reject.example", NULL, 550, 7, 1 },
	{ .what = "<>, HELO is no name",
	  "",
	  "other.example",
	  NULL,
	  0,
	  0,
	  0,
	  .helo = "[192.0.2.1]" },
	{ .what = "HELO fails",
	  "a@other.example",
	  "other.example",
	  NULL,
	  0,
	  0,
	  0,
	  .helo = "fail.example" },
	{ .what = "a return",
	  "",
	  "reject.example",
	  NULL,
	  0,
	  0,
	  0,
	  .rcpt = "SRS0=x=y=b.example=a" },
	{ .what = "not our field yet",
	  "a@other.example",
	  "other.example",
	  NULL,
	  0,
	  0,
	  0,
	  .extra = "Authentication-Results: " CONFIG_SMTPD_HOSTNAME "; none\r\n" },
};

static const struct row passed_on[] = {
	{ .what = "forged", "a@other.example", "reject.example", NULL, 0, 0, 0 },
	{ .what = "policy not looked up", "a@other.example", "hidden.example", NULL, 0, 0, 0 },
	{ .what = "no such sender", "a@gone.example", "other.example", NULL, 550, 7, 27 },
};

static const struct row strict[] = {
	{ .what = "SPF fail", "a@fail.example", "other.example", NULL, 550, 7, 23 },
	{ .what = "SPF fail, DKIM vouches", "a@fail.example", "reject.example", SIGNED, 0, 0, 0 },
	{ .what = "SPF not looked up", "a@mild.example", "other.example", NULL, 451, 4, 3 },
	{ .what = "a return",
	  "",
	  "other.example",
	  NULL,
	  0,
	  0,
	  0,
	  .helo = "fail.example",
	  .rcpt = "SRS0=x=y=b.example=a" },
};

#define FORGED(text) "Authentication-Results:" text "\r\n"

static const struct row marked[] = {
	{ .what = "its own",
	  "a@other.example",
	  "other.example",
	  NULL,
	  550,
	  7,
	  1,
	  .extra = FORGED(" " CONFIG_SMTPD_HOSTNAME "; spf=pass") },
	{ .what = "in a return",
	  "",
	  "other.example",
	  NULL,
	  550,
	  7,
	  1,
	  .rcpt = "SRS0=x=y=b.example=a",
	  .extra = FORGED(CONFIG_SMTPD_HOSTNAME) },
	{ "another's", "a@other.example", "other.example", NULL, 0, 0, 0,
	  .extra = FORGED(" mx.elsewhere.example; spf=pass (" CONFIG_SMTPD_HOSTNAME ")") },
};

static void judge_rows(const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		judge_row(&r[i]);
}

#define JUDGE_ROWS(rows) judge_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_rows(void)
{
	JUDGE_ROWS(usual);
	c.refuse_dmarc = false;
	JUDGE_ROWS(passed_on);
	c.refuse_dmarc = c.refuse_spf = true;
	JUDGE_ROWS(strict);
	c.refuse_spf = false;
	c.authres = true;
	JUDGE_ROWS(marked);
	c.authres = false;
}

/* What SPF says of our own domains counts. */
static void test_own(void)
{
	static const struct slice spf[] = { SLICE("v=spf1 -all"), SLICE("v=spf1 ~all"),
					    SLICE("v=spf1 ip4:192.0.2.1 -all") };
	char sender[300];
	struct row r = { .what = "our domain", sender, "other.example", NULL, 550, 7, 23 };

	snprintf(sender, sizeof sender, "me@%s", domain);
	for (size_t i = 0; i < 3; i++) {
		set_row(domain, spf[i]);
		judge_row(&r);
		r.code = 0;
	}
}

static void test_lists(void)
{
	static const struct row clean = {
		.what = "not listed", "a@other.example", "other.example", NULL, 0, 0, 0
	};
	static const struct row listed = {
		.what = "listed", "a@other.example", "other.example", NULL, 550, 7, 1
	};

	c.lists = SLICE("first.example dead.example third.example");
	judge_row(&clean);
	c.lists = SLICE("first.example dead.example second.example third.example");
	judge_row(&listed);
	CHECK_SLICE(((struct slice){ got.b + sizeof got.answer, got_n - sizeof got.answer }),
		    "The client is listed by second.example");
	c.lists = SLICE("");
}

/* ---- what is told ---- */

static bool holds(struct slice s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void test_field(void)
{
	static const struct row r = {
		.what = "all vouch", "a@reject.example", "reject.example", SIGNED, 0, 0, 0
	};
	static uint8_t bytes[4096];
	struct slice header;
	uint64_t n;

	c.authres = true;
	give(&r);
	CHECK_EQ(fate(), 0);
	CHECK(memfd_check(got_fd[1], sizeof bytes, &n) && memfd_read(got_fd[1], 0, bytes, n));
	CHECK(envelope_get((struct slice){ bytes, n }, ENV_HEADER, &header));
	CHECK(slice_iends(header, SLICE("\r\nAuthentication-Results: " CONFIG_SMTPD_HOSTNAME
					";\r\n\tspf=pass smtp.mailfrom=reject.example"
					";\r\n\tspf=none smtp.helo=client.example"
					";\r\n\tdkim=pass header.d=reject.example header.s=s"
					";\r\n\tdmarc=pass header.from=reject.example\r\n")));
	CHECK(slice_iprefix(header, SLICE("Delivered-To: ")));
	out_says(250, 2);
	CHECK_EQ(fate(), 250);
	c.authres = false;
}

static void test_log(void)
{
	static const struct row r = {
		.what = "forged", "a@fail.example", "reject.example", NULL, 550, 7, 1
	};
	int log = memfd_create("log", 0), saved = dup(STDERR_FILENO);
	static uint8_t bytes[4096];
	ssize_t n;

	dup2(log, STDERR_FILENO);
	give(&r);
	fate();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(log, bytes, sizeof bytes, 0);
	CHECK(n > 0 &&
	      holds((struct slice){ bytes, (size_t)n },
		    " client=192.0.2.1 spf=fail sender=fail.example helo=none dkim=none"
		    " dmarc=fail from=reject.example policy=reject "));
	close(log);
}

/* Names as long as they may be, and a reply as long as it may be: all of them are in the line. */
static void test_log_full(void)
{
	struct row r = {
		.what = "long names", "a@" LONG_SENDER, LONG_SENDER, LONG_SENDER, 0, 0, 0
	};
	int log = memfd_create("log", 0), saved = dup(STDERR_FILENO);
	uint8_t bytes[LOG_LINE + 1];
	ssize_t n;

	give(&r);
	CHECK_EQ(fate(), 0);
	dup2(log, STDERR_FILENO);
	out_says(550, 300);
	fate();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(log, bytes, sizeof bytes, 0);
	CHECK(n > 0 && n <= LOG_LINE);
	CHECK(holds((struct slice){ bytes, (size_t)n }, " code=550 enhanced=5.7.26 ms="));
	CHECK(holds((struct slice){ bytes, (size_t)n }, " to=box@gmail.com "));
	CHECK(holds((struct slice){ bytes, (size_t)n }, " judged="));
	CHECK(holds((struct slice){ bytes, (size_t)n }, " mx=mx.example.net tls=pinned out="));
	CHECK(holds((struct slice){ bytes, (size_t)n }, " reply=\"xxxx") ||
	      holds((struct slice){ bytes, (size_t)n }, " reply=xxxx"));
	close(log);
}

static void test_forged(void)
{
	static const struct {
		const char *body;
		bool ours;
	} rows[] = {
		{ " mx.example; spf=pass", true },
		{ "MX.Example", true },
		{ " (a (b) \\) c)\r\n\t\"mx.ex\\ample\" 1; none", true },
		{ " mx.example(x); none", true },
		{ " mx.example 1; none", true },
		{ " mx.example.net; none", false },
		{ " mx.exampl; none", false },
		{ " a; x=mx.example", false },
		{ " (mx.example) a", false },
		{ " (mx.example", false },
		{ "", false },
	};
	char text[300];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "From: x\r\nauthentication-results:%s\r\nTo: x\r\n",
			 rows[i].body);
		CHECK_ROW(verdict_forged(slice_of(text), SLICE("mx.example")) == rows[i].ours,
			  rows[i].body);
	}
}

/* ---- when dns fails ---- */

static void test_deadline(void)
{
	static const struct row late = {
		.what = "no answer in time", "a@other.example", "reject.example", NULL, 451, 4, 3
	};
	int64_t usual_ms = c.judge_ms;

	fakedns_silent = true;
	c.judge_ms = 4;
	judge_row(&late);
	c.judge_ms = usual_ms;
	fakedns_silent = false;
	wires_renew(&c.proc, CH_CHECK_MX_DNS, 2);
}

static void test_death(void)
{
	static const struct row r = {
		.what = "forged", "a@other.example", "reject.example", NULL, 550, 7, 1
	};

	fakedns_silent = true;
	fakedns_asked = 0;
	give(&r);
	CHECK(!get(CH_FRONT_MX_CHECK_MX, 3) && fakedns_asked > 0);
	close(wires_far[CH_CHECK_MX_DNS]);
	wires_far[CH_CHECK_MX_DNS] = -1;
	CHECK(!get(CH_FRONT_MX_CHECK_MX, 3)); /* nothing is decided */
	CHECK(!get(CH_CHECK_MX_OUT_MX, 3));
	fakedns_silent = false;
	wires_renew(&c.proc, CH_CHECK_MX_DNS, 3);
	CHECK_EQ(fate(), 550);
	/* dns may break the message law, too: the same as dying */
	give(&r);
	fakedns_silent = true;
	CHECK(!get(CH_FRONT_MX_CHECK_MX, 3));
	wires_put(CH_CHECK_MX_DNS, "rubbish", 7, SLICE(""), -1, -1);
	CHECK(!get(CH_FRONT_MX_CHECK_MX, 3));
	fakedns_silent = false;
	wires_renew(&c.proc, CH_CHECK_MX_DNS, 4);
	CHECK_EQ(fate(), 550);
}

/* Those that find no place wait for one. */
static void test_crowd(void)
{
	static const struct row r = {
		.what = "one of many", "a@other.example", "reject.example", SIGNED, 0, 0, 0
	};
	unsigned done = 0, asked;

	fakedns_silent = true;
	fakedns_asked = 0;
	for (int i = 0; i < JUDGES; i++)
		give(&r);
	CHECK(!get(CH_CHECK_MX_OUT_MX, 5));
	asked = fakedns_asked;
	CHECK_EQ(asked, c.dns->credit); /* each has three questions to begin with */
	give(&r);
	give(&r);
	CHECK(!get(CH_CHECK_MX_OUT_MX, 5) && !get(CH_FRONT_MX_CHECK_MX, 5));
	CHECK_EQ(fakedns_asked, asked);
	fakedns_silent = false;
	wires_renew(&c.proc, CH_CHECK_MX_DNS, 5);
	for (int i = 0; i < 2 * JUDGES + 10 && done < JUDGES + 2; i++) {
		unsigned code = fate();

		if (!code)
			out_says(250, 2);
		else
			done += code == 250;
	}
	CHECK_EQ(done, JUDGES + 2);
	for (int i = 0; i < JUDGES; i++)
		CHECK(!c.judges[i].job);
}

int main(void)
{
	unsigned char public[crypto_sign_PUBLICKEYBYTES];
	int map;
	uint8_t mem[64];
	struct buf b = BUF(mem);
	struct cdb_make m;
	char k[300];

	wires_reserve();
	snprintf(domain, sizeof domain, "%.*s",
		 (int)slice_find(SLICE(CONFIG_SMTPD_DOMAINS), ' '), CONFIG_SMTPD_DOMAINS);
	map = memfd_create("map", 0);
	cdb_make_start(&m, map);
	snprintf(k, sizeof k, "hello@%s", domain);
	cdb_make_add(&m, k, (unsigned)strlen(k), "box@gmail.com", 13);
	cdb_make_finish(&m);
	crypto_sign_keypair(public, secret);
	put_base64(&b, public, sizeof public);
	snprintf(key_record, sizeof key_record, "v=DKIM1; k=ed25519; p=%.*s", (int)b.len, b.p);
	set_row("s._domainkey.reject.example", slice_of(key_record));
	fakedns_rows = zone;
	wires_meanwhile = others;
	got_fd[0] = got_fd[1] = -1;

	wires_start(P_CHECK_MX, 0, key, &map, 1);
	close(map);
	proc_start(&c.proc, PROG_CHECK, 4);
	check_init(&c);
	wires_connect(&c.proc);
	c.refuse_dmarc = true;
	c.refuse_spf = c.authres = false;
	c.lists = SLICE("");
	test_forged();
	test_rows();
	test_own();
	test_lists();
	test_field();
	test_log();
	test_log_full();
	test_deadline();
	test_death();
	test_crowd();
	TEST_END();
}
