/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/gmail.h"

#define GUIDE	  "Email sender guidelines"
#define BLOCKED	  "Why has Gmail blocked my messages?"
#define LIMITS	  "Limits for sending & getting email"
#define ENCRYPTED "Email encryption in transit"
#define RELAY	  "SMTP relay at your service provider"
#define ANY	  UINT16_MAX

/*
 * The first row that fits. A text says more than the code beside it: 7.0 and 7.1 stand before replies of every kind.
 * What is said of a domain or of the words of a letter is about its author, who is a stranger: only what is said of an
 * address is about us, or strangers could make it look so.
 */
static const struct {
	uint16_t class, subject, detail; /* enhanced code; class as in the code; ANY */
	const char *text;		 /* a part of it, ASCII case folded; NULL: any */
	struct gmail is;
} rows[] = {
	/* counted by what the author wrote or signed: nobody else's letters need to wait */
	{ ANY, 7, 28, "your DKIM domain", { GMAIL_POLICY, GUIDE } },
	{ ANY, 7, 28, "your URL domains", { GMAIL_POLICY, GUIDE } },
	{ ANY, 7, 28, "same Message-ID", { GMAIL_POLICY, GUIDE } },
	{ ANY, 7, 28, NULL, { GMAIL_RATE, GUIDE } },
	/* before there was a 7.28 */
	{ ANY, 7, ANY, "detected an unusual", { GMAIL_RATE, GUIDE } },
	{ ANY, 2, 2, NULL, { GMAIL_FULL, "Manage files in your Google Drive storage" } },
	{ 4, 2, 1, NULL, { GMAIL_FAST, LIMITS } },
	{ 5, 2, 1, "at a rate", { GMAIL_FAST, LIMITS } },
	{ ANY, 7, 23, NULL, { GMAIL_REPUTATION, GUIDE } },
	{ ANY, 7, 25, NULL, { GMAIL_REPUTATION, GUIDE } },
	{ ANY, 7, ANY, "PTR record", { GMAIL_REPUTATION, GUIDE } },
	{ ANY, 7, ANY, "reputation of the sending IP", { GMAIL_REPUTATION, BLOCKED } },
	{ ANY, 7, ANY, "IP you're using", { GMAIL_REPUTATION, RELAY } },
	{ ANY, 7, ANY, "suspicious", { GMAIL_POLICY, BLOCKED } },
	{ ANY, 7, ANY, "temporary DNS failures", { GMAIL_TEMP, NULL } },
	{ ANY, 7, 24, NULL, { GMAIL_POLICY, "Set up SPF" } },
	{ ANY, 7, 27, NULL, { GMAIL_POLICY, "Set up SPF" } },
	{ ANY, 7, 30, NULL, { GMAIL_POLICY, "Set up DKIM" } },
	{ ANY, 7, 32, NULL, { GMAIL_POLICY, "DMARC alignment" } },
	/* classes that differ: RULES Q6 */
	{ 4, 0, 0, "5.7.32", { GMAIL_POLICY, "DMARC alignment" } },
	{ ANY, 7, 26, NULL, { GMAIL_POLICY, GUIDE } },
	{ ANY, 7, 29, NULL, { GMAIL_POLICY, ENCRYPTED } },
	{ ANY, 7, ANY, "TLS", { GMAIL_POLICY, ENCRYPTED } },
	{ 5, 7, ANY, NULL, { GMAIL_POLICY, "About SMTP error messages" } },
};

static bool holds(struct slice text, struct slice part)
{
	for (; text.n >= part.n; text = slice_from(text, 1))
		if (slice_iprefix(text, part))
			return true;
	return false;
}

static bool fits(size_t i, const struct reply *r)
{
	return (rows[i].class == ANY || rows[i].class == r->code / 100) &&
	       rows[i].subject == r->subject &&
	       (rows[i].detail == ANY || rows[i].detail == r->detail) &&
	       (!rows[i].text || holds(reply_text(r), slice_of(rows[i].text)));
}

struct gmail gmail_read(const struct reply *r)
{
	enum verdict v = reply_verdict(r);

	for (size_t i = 0; v != V_OK && i < sizeof rows / sizeof *rows; i++)
		if (fits(i, r))
			return rows[i].is;
	return (struct gmail){ v == V_OK     ? GMAIL_OK
			       : v == V_PERM ? GMAIL_PERM
					     : GMAIL_TEMP,
			       NULL };
}

const char *gmail_name(enum gmail_class c)
{
	static const char *const names[] = {
		[GMAIL_OK] = "ok",
		[GMAIL_TEMP] = "temp",
		[GMAIL_PERM] = "perm",
		[GMAIL_POLICY] = "policy",
		[GMAIL_FULL] = "full",
		[GMAIL_FAST] = "fast",
		[GMAIL_REPUTATION] = "reputation",
		[GMAIL_RATE] = "rate",
	};

	_Static_assert(sizeof names / sizeof *names == GMAIL_CLASSES, "row missing");
	return names[c];
}
