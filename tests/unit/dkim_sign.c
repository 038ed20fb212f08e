/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_sign.h"

#include "smtpd/proto/dkim_canon.h"
#include "smtpd/proto/dkim_preimage.h"
#include "smtpd/proto/header.h"
#include "tests/unit/test.h"

#define LETTER                                                                                    \
	"Received: x\r\nFrom: Joe  <joe@Example.org>\r\nTO: a@b.c,\r\n\td@e.f\r\nsubject :hi\r\n" \
	"List-Id: <one>\r\nX-Mailer: y\r\nList-Id: <two>\r\n"

#define FIELDS                                                                             \
	"from:Joe <joe@Example.org>\r\nto:a@b.c, d@e.f\r\nsubject:hi\r\nlist-id:<two>\r\n" \
	"list-id:<one>\r\n"
#define HEAD \
	"dkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; t=1700000000; "
#define NAMES                                                                                       \
	"h=From:From:To:To:Cc:Subject:Subject:Date:Message-ID:Reply-To: MIME-Version:Content-Type:" \
	"Content-Transfer-Encoding:List-Unsubscribe: List-Unsubscribe-Post:List-Id:List-Id; "
#define BODY "bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; "

static const uint8_t zeros[32];
static const struct dkim_sign base = { SLICE("example.org"), SLICE("sel"), 1700000000, zeros,
				       false };

static void preimage(void)
{
	uint8_t mem[2048];
	struct buf out = BUF(mem);

	dkim_sign_preimage(&base, SLICE(LETTER), &out);
	CHECK(!out.bad);
	CHECK_SLICE(buf_slice(&out), FIELDS HEAD NAMES BODY "b=");
	CHECK(dkim_preimage_check(buf_slice(&out), false, SLICE("Example.ORG"), SLICE("sel")));
	/* any room less is no preimage */
	for (size_t cap = 0; cap < out.len; cap++) {
		struct buf small = { .p = mem, .cap = cap };

		dkim_sign_preimage(&base, SLICE(LETTER), &small);
		CHECK(small.bad);
	}
}

/* The field in the letter, its b= emptied, is the end of the preimage; no line is long. */
static void field(void)
{
	uint8_t mem[2048], sig[512], can[2048];
	struct buf out = BUF(mem), c = BUF(can);
	struct header_field f;
	struct slice rest, b;

	memset(sig, 0x5a, sizeof sig);
	dkim_sign_field(&base, SLICE(LETTER), (struct slice){ sig, sizeof sig }, &out);
	CHECK(!out.bad);
	rest = buf_slice(&out);
	CHECK(header_next(&rest, &f) && !rest.n && slice_ieq(f.name, SLICE("DKIM-Signature")));
	b = slice_head(f.raw, slice_rfind(slice_head(f.raw, f.raw.n - 700), ';') + 6);
	CHECK(slice_iends(b, SLICE("b=")));
	dkim_canon_header(DKIM_RELAXED, b, &(struct dkim_sink){ .buf = &c });
	CHECK_SLICE(buf_slice(&c), HEAD NAMES BODY "b=\r\n");
	for (size_t i = 0, line = 0; i < out.len; i++) {
		line = mem[i] == '\n' ? 0 : line + 1;
		CHECK(line < 100);
	}
	out = BUF(mem);
	dkim_sign_field(&base, SLICE(LETTER), (struct slice){ mem, 514 }, &out);
	CHECK(out.bad);
}

/* The holder of one kind of key takes no preimage for the other one. */
static void ed25519(void)
{
	uint8_t mem[2048], sig[64] = { 0 };
	struct buf out = BUF(mem);
	struct dkim_sign s = base;
	struct slice rest;
	struct header_field f;

	s.ed25519 = true;
	dkim_sign_preimage(&s, SLICE(LETTER), &out);
	CHECK(slice_iends(buf_slice(&out),
			  SLICE("v=1; a=ed25519-sha256; c=relaxed/relaxed; "
				"d=example.org; s=sel; t=1700000000; " NAMES BODY "b=")));
	CHECK(dkim_preimage_check(buf_slice(&out), true, s.domain, s.selector));
	CHECK(!dkim_preimage_check(buf_slice(&out), false, s.domain, s.selector));
	CHECK(!dkim_preimage_check(slice_of(FIELDS HEAD NAMES BODY "b="), true, s.domain,
				   s.selector));
	out = BUF(mem);
	dkim_sign_field(&s, SLICE(LETTER), (struct slice){ sig, sizeof sig }, &out);
	rest = buf_slice(&out);
	CHECK(!out.bad && header_next(&rest, &f) && !rest.n);
	CHECK(slice_iprefix(f.body, SLICE(" v=1; a=ed25519-sha256; c=relaxed/relaxed;")));
}

static const struct {
	const char *in;
	bool ok;
} checks[] = {
	{ FIELDS HEAD NAMES BODY "b=", true },
	{ "from:a@example.org\r\n" HEAD "h=from:from; " BODY "b=", true },
	{ "from:a@example.org, b@EXAMPLE.org\r\n" HEAD "h=from:from; " BODY "b=", true },
	{ "from:a@example.org\r\nto:\r\n" HEAD "h=from:from:to; " BODY "b=", true },
	{ "from:a@example.org\r\nto:x\r\n" HEAD "h=from:To:from; " BODY "b=", true },
	/* another domain, several, a subdomain, or no address */
	{ "from:a@example.com\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org, b@example.com\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@sub.example.org\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org <b@example.com>\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:\r\n" HEAD "h=from:from; " BODY "b=", false },
	/* no From, two, or one not oversigned */
	{ HEAD "h=from:from; " BODY "b=", false },
	{ "to:x\r\n" HEAD "h=from:from:to; " BODY "b=", false },
	{ "from:a@example.org\r\nfrom:a@example.org\r\n" HEAD "h=from:from; " BODY "b=",
	  false },
	{ "from:a@example.org\r\n" HEAD "h=from; " BODY "b=", false },
	{ "from:a@example.org\r\n" HEAD "h=from:from:from; " BODY "b=", false },
	/* fields that h= does not list, or in another order */
	{ "from:a@example.org\r\nto:x\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "to:x\r\nfrom:a@example.org\r\n" HEAD "h=from:from:to; " BODY "b=", false },
	{ "from:a@example.org\r\n" HEAD "h=from:from:; " BODY "b=", false },
	/* not canonical */
	{ "From:a@example.org\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from: a@example.org\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a  <a@example.org>\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org \r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org\r\n\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org\r\n x\r\n" HEAD "h=from:from; " BODY "b=", false },
	{ "from:a@example.org\r\nto:\xc3\xa4\r\n" HEAD "h=from:from:to; " BODY "b=", true },
	{ "from:a@example.org\r\nto:\xe4\r\n" HEAD "h=from:from:to; " BODY "b=", false },
	/* the last line */
	{ "from:a@example.org\r\n" HEAD "h=from:from; " BODY "b=\r\n", false },
	{ "from:a@example.org\r\n" HEAD "h=from:from; " BODY "b=x", false },
	{ "from:a@example.org\r\n" HEAD "h=from:from; " BODY, false },
	{ "from:a@example.org\r\n" HEAD "h=from:from; b=", false },
	{ "from:a@example.org\r\n" HEAD "h=from:from; l=0; " BODY "b=", false },
	{ "from:a@example.org\r\n", false },
	{ "", false },
};

static void check(void)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		CHECK_ROW(dkim_preimage_check(slice_of(checks[i].in), false, base.domain,
					      base.selector) == checks[i].ok,
			  checks[i].in);
	CHECK(!dkim_preimage_check(slice_of(checks[0].in), false, SLICE("example.com"),
				   base.selector));
	CHECK(!dkim_preimage_check(slice_of(checks[0].in), false, base.domain, SLICE("sel2")));
	CHECK(!dkim_preimage_check(slice_of(checks[0].in), false, base.domain, SLICE("se")));
	for (size_t n = 0; n < strlen(checks[0].in); n++)
		CHECK(!dkim_preimage_check(slice_head(slice_of(checks[0].in), n), false,
					   base.domain, base.selector));
}

/* As many fields as a signature lists, and one more; what is signed is still what the holder takes. */
static void many(void)
{
	static uint8_t text[64 * 1024], mem[64 * 1024];

	for (size_t n = 199; n <= 200; n++) {
		struct buf header = BUF(text), out = BUF(mem);

		buf_put(&header, SLICE("From: a@example.org\r\n"));
		for (size_t i = 0; i < n; i++)
			buf_put(&header, SLICE("List-Id: <x>\r\nX-Other: y\r\n"));
		dkim_sign_preimage(&base, buf_slice(&header), &out);
		CHECK_EQ(out.bad, n == 200);
		CHECK(out.bad ||
		      dkim_preimage_check(buf_slice(&out), false, base.domain, base.selector));
		out = BUF(mem);
		dkim_sign_field(&base, buf_slice(&header), SLICE("sig"), &out);
		CHECK_EQ(out.bad, n == 200);
	}
}

int main(void)
{
	preimage();
	many();
	field();
	ed25519();
	check();
	TEST_END();
}
