/* SPDX-License-Identifier: ISC */
#include "tests/unit/test.h"

#include "smtpd/proto/gmail.h"

#define G "Email sender guidelines"
#define B "Why has Gmail blocked my messages?"
#define L "Limits for sending & getting email"
#define E "Email encryption in transit"
#define A "About SMTP error messages"

/* The texts are shortened from what Google publishes, or ours. */
static const struct {
	const char *reply;
	enum gmail_class class;
	enum verdict verdict;
	const char *remedy;
} cases[] = {
	{ "250 2.0.0 OK  1795 - gsmtp", GMAIL_OK, V_OK, NULL },
	{ "250 2.7.28 ok", GMAIL_OK, V_OK, NULL },
	{ "450 4.2.1 The user is receiving email too quickly.", GMAIL_FAST, V_TEMP, L },
	{ "550 5.2.1 The user is receiving email at a rate that prevents more", GMAIL_FAST,
	  V_PERM, L },
	{ "550 5.2.1 The account is disabled", GMAIL_PERM, V_PERM, NULL },
	{ "452 4.2.2 The inbox is out of storage space", GMAIL_FULL, V_TEMP,
	  "Manage files in your Google Drive storage" },
	{ "552 5.2.2 over quota and inactive", GMAIL_FULL, V_PERM,
	  "Manage files in your Google Drive storage" },
	{ "421 4.7.28 unusual rate of email", GMAIL_RATE, V_TEMP, G },
	{ "421 4.7.28 of unsolicited email from your DKIM domain d.example", GMAIL_POLICY,
	  V_TEMP, G },
	{ "421 4.7.28 one of your URL domains", GMAIL_POLICY, V_TEMP, G },
	{ "421 4.7.28 from your SPF domain", GMAIL_RATE, V_TEMP, G },
	{ "451 4.7.28 the same Message-ID", GMAIL_POLICY, V_TEMP, G },
	{ "550 5.7.28 blocked", GMAIL_RATE, V_PERM, G },
	{ "421 4.7.0 We have detected an unusual rate of unsolicited mail", GMAIL_RATE, V_TEMP,
	  G },
	{ "421 4.7.2 8", GMAIL_TEMP, V_TEMP, NULL },
	{ "421 4.7.280 x", GMAIL_TEMP, V_TEMP, NULL },
	{ "421 5.7.28 classes differ", GMAIL_TEMP, V_TEMP, NULL },
	{ "421 4.7.0 The IP address has no ptr RECORD", GMAIL_REPUTATION, V_TEMP, G },
	{ "421 4.7.23 PTR", GMAIL_REPUTATION, V_TEMP, G },
	{ "550 5.7.25 no name", GMAIL_REPUTATION, V_PERM, G },
	{ "421 4.7.0 suspicious due to the very low reputation of the sending IP address.",
	  GMAIL_REPUTATION, V_TEMP, B },
	{ "550 5.7.1 suspicious due to the very low reputation of the sending IP address.",
	  GMAIL_REPUTATION, V_PERM, B },
	{ "550 5.7.1 The IP you're using is not authorized", GMAIL_REPUTATION, V_PERM,
	  "SMTP relay at your service provider" },
	/* of the author: no stranger pauses the route with it */
	{ "550 5.7.1 suspicious due to the very low reputation of the sending domain",
	  GMAIL_POLICY, V_PERM, B },
	{ "421 4.7.0 suspicious due to the nature of the content", GMAIL_POLICY, V_TEMP, B },
	{ "421 4.7.0 TLS required for RCPT domain", GMAIL_POLICY, V_TEMP, E },
	{ "421 4.7.29 no encryption", GMAIL_POLICY, V_TEMP, E },
	{ "421 4.7.0 Connection expired", GMAIL_TEMP, V_TEMP, NULL },
	{ "451 4.7.26 DMARC policy, but temporary DNS failures", GMAIL_TEMP, V_TEMP, NULL },
	{ "550 5.7.26 Unauthenticated email", GMAIL_POLICY, V_PERM, G },
	{ "421 4.7.26 This email is rate limited", GMAIL_POLICY, V_TEMP, G },
	{ "421 4.7.24 SPF entries", GMAIL_POLICY, V_TEMP, "Set up SPF" },
	{ "550 5.7.27 SPF", GMAIL_POLICY, V_PERM, "Set up SPF" },
	{ "421 4.7.30 DKIM", GMAIL_POLICY, V_TEMP, "Set up DKIM" },
	{ "421 4.7.32 not aligned", GMAIL_POLICY, V_TEMP, "DMARC alignment" },
	{ "421 5.7.32 not aligned", GMAIL_POLICY, V_TEMP, "DMARC alignment" }, /* RULES Q6 */
	{ "550 5.7.1 Messages missing a valid Message-ID", GMAIL_POLICY, V_PERM, A },
	{ "421 4.3.0 Temporary System Problem", GMAIL_TEMP, V_TEMP, NULL },
	{ "454 4.7.0 Temporary System Problem", GMAIL_TEMP, V_TEMP, NULL },
	{ "451 4.5.0 SMTP protocol violation", GMAIL_TEMP, V_TEMP, NULL },
	{ "452 4.5.3 too many recipients", GMAIL_TEMP, V_TEMP, NULL },
	{ "553 5.1.3 not a valid address", GMAIL_PERM, V_PERM, NULL },
	{ "552 5.3.4 header size", GMAIL_PERM, V_PERM, NULL },
	{ "550 no code, low reputation of the sending IP", GMAIL_PERM, V_PERM, NULL },
	{ "354 go", GMAIL_TEMP, V_TEMP, NULL },
};

static struct reply reply_of(const char *text)
{
	uint8_t mem[600];
	struct buf b = BUF(mem);
	struct reply r = { 0 };
	struct slice in;

	buf_put(&b, slice_of(text));
	buf_put(&b, SLICE("\r\n"));
	in = buf_slice(&b);
	CHECK(reply_feed(&r, &in) == REPLY_DONE);
	return r;
}

int main(void)
{
	struct slice lines =
		SLICE("421-4.7.0 the very low reputation of\r\n421 4.7.0 the sending IP\r\n");
	struct reply r = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reply one = reply_of(cases[i].reply);
		struct gmail g = gmail_read(&one);

		CHECK_ROW(g.class == cases[i].class, cases[i].reply);
		CHECK_ROW(reply_verdict(&one) == cases[i].verdict, cases[i].reply);
		CHECK_ROW(!g.remedy == !cases[i].remedy &&
				  (!g.remedy || !strcmp(g.remedy, cases[i].remedy)),
			  cases[i].reply);
	}
	CHECK(reply_feed(&r, &lines) == REPLY_DONE);
	CHECK_EQ(gmail_read(&r).class, GMAIL_REPUTATION);
	for (unsigned c = 0; c < GMAIL_CLASSES; c++)
		for (unsigned d = 0; d < c; d++)
			CHECK(strcmp(gmail_name(c), gmail_name(d)) != 0);
	TEST_END();
}
