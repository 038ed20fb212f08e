/* SPDX-License-Identifier: ISC */
#include "smtpd/out/outcome.h"

#include <string.h>

/* As much as fits; what is not printable ASCII becomes a question mark. */
static void put_text(struct outcome *o, struct slice s)
{
	for (size_t i = 0; i < s.n && o->text_n < ANSWER_TEXT; i++) {
		uint8_t c = s.p[i];

		o->text[o->text_n++] = c >= ' ' && c <= '~' ? c : '?';
	}
}

static void begin(struct outcome *o, uint16_t code, uint16_t subject, uint16_t detail)
{
	o->code = code;
	o->enhanced[0] = (uint8_t)(code / 100);
	o->enhanced[1] = subject <= UINT8_MAX ? (uint8_t)subject : 0;
	o->enhanced[2] = detail <= UINT8_MAX ? (uint8_t)detail : 0;
	o->means = (struct gmail){ GMAIL_TEMP, NULL };
	o->text_n = 0;
}

void outcome_own(struct outcome *o, uint16_t code, uint8_t subject, uint8_t detail,
		 const char *text, struct slice more)
{
	begin(o, code, subject, detail);
	put_text(o, slice_of(text));
	if (!more.n)
		return;
	put_text(o, SLICE(": "));
	put_text(o, more);
}

/* RFC 5321 4.2: the second digit is at most 5; what is above becomes a plain refusal. */
static uint16_t map_code(const struct reply *r)
{
	switch (reply_verdict(r)) {
	case V_OK:
		return 250;
	case V_PERM:
		return r->code / 10 % 10 <= 5 ? r->code : 554;
	default:
		return 451; /* 421 too: it is not our connection that closes */
	}
}

void outcome_said(struct outcome *o, const struct reply *r, const char *host)
{
	struct slice said = reply_text(r);

	begin(o, map_code(r), r->subject, r->detail);
	o->means = gmail_read(r);
	put_text(o, SLICE("host "));
	put_text(o, slice_of(host));
	put_text(o, SLICE(" said: "));
	put_text(o, said.n ? said : SLICE("(no text)"));
}

struct slice outcome_text(const struct outcome *o)
{
	return (struct slice){ o->text, o->text_n };
}

void outcome_put(const struct outcome *o, uint8_t flags, struct buf *out)
{
	struct out_verdict v = { .code = o->code, .flags = flags, .len = (uint16_t)o->text_n };

	if (o->means.class == GMAIL_RATE)
		v.flags |= OUT_RATE;
	memcpy(v.enhanced, o->enhanced, sizeof v.enhanced);
	buf_put(out, (struct slice){ (const uint8_t *)&v, sizeof v });
	buf_put(out, outcome_text(o));
}
