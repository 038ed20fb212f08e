/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/reply.h"

static const struct {
	const char *keyword;
	enum reply_cap cap;
} caps[] = {
	{ "STARTTLS", REPLY_STARTTLS }, { "PIPELINING", REPLY_PIPELINING },
	{ "SIZE", REPLY_SIZE },		{ "8BITMIME", REPLY_8BITMIME },
	{ "SMTPUTF8", REPLY_SMTPUTF8 }, { "DSN", REPLY_DSN },
};

static void scan_keyword(struct reply *r, struct slice text)
{
	struct slice keyword = slice_word(&text), value = slice_word(&text);

	if (slice_ieq(keyword, SLICE("AUTH")))
		for (; value.n; value = slice_word(&text))
			if (slice_ieq(value, SLICE("PLAIN")))
				r->caps |= REPLY_AUTH_PLAIN;
	for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
		if (!slice_ieq(keyword, slice_of(caps[i].keyword)))
			continue;
		r->caps |= caps[i].cap;
		if (caps[i].cap == REPLY_SIZE && !slice_u64(value, UINT64_MAX, &r->size))
			r->size = 0;
	}
}

/* Takes "C.S.D" and the blank after it off *text when C is the class of the reply. RFC 2034
 * 4. */
static bool take_enhanced(struct reply *r, struct slice *text, uint16_t *subject,
			  uint16_t *detail)
{
	struct cur c = CUR(*text);
	uint64_t s = 0, d = 0;

	cur_lit(&c, (uint8_t)('0' + r->code / 100));
	cur_lit(&c, '.');
	slice_u64(cur_span(&c, byte_digit, 3), 999, &s);
	cur_lit(&c, '.');
	slice_u64(cur_span(&c, byte_digit, 3), 999, &d);
	if (!cur_end(&c))
		cur_lit(&c, ' ');
	if (c.bad)
		return false;
	*subject = (uint16_t)s;
	*detail = (uint16_t)d;
	*text = c.s;
	return true;
}

static void put_text(struct reply *r, struct slice text)
{
	struct buf out = { .p = r->text, .cap = REPLY_TEXT, .len = r->text_n };

	text = slice_trim(text);
	if (out.len && text.n && buf_room(&out))
		buf_u8(&out, ' ');
	for (size_t i = 0; i < text.n && buf_room(&out); i++) {
		uint8_t o = text.p[i] == '\t' ? ' ' : text.p[i];

		buf_u8(&out, o >= ' ' && o <= '~' ? o : '?');
	}
	r->text_n = (uint16_t)out.len;
}

/* One line without its CRLF: three digits, then the end, a space (the last line) or a hyphen.
 * Wider than RFC 5321 4.2: the second digit may be any, since 57x and 59x are in use. */
static enum reply_step take_line(struct reply *r, struct slice line)
{
	struct slice text = slice_from(line, 4);
	uint16_t subject = 0, detail = 0;
	uint64_t code;
	bool more = line.n > 3 && line.p[3] == '-';

	if (!slice_u64(slice_head(line, 3), 599, &code) || line.n < 3 || code < 200)
		return REPLY_BAD;
	if (line.n > 3 && line.p[3] != ' ' && !more)
		return REPLY_BAD;
	if (r->lines ? code != r->code : false)
		return REPLY_BAD;
	if (++r->lines == REPLY_LINES && more)
		return REPLY_BAD;
	r->code = (uint16_t)code;
	if (r->lines > 1)
		scan_keyword(r, text);
	if (take_enhanced(r, &text, &subject, &detail) && r->lines == 1) {
		r->subject = subject;
		r->detail = detail;
	}
	put_text(r, text);
	return more ? REPLY_MORE : REPLY_DONE;
}

enum reply_step reply_feed(struct reply *r, struct slice *in)
{
	while (r->step == REPLY_MORE) {
		size_t lf = slice_find(slice_head(*in, REPLY_LINE), '\n');
		struct slice line = slice_head(*in, lf);

		if (lf == in->n && lf < REPLY_LINE)
			break;
		if (lf == REPLY_LINE || !lf || line.p[lf - 1] != '\r') {
			r->step = REPLY_BAD;
			break;
		}
		line.n--;
		r->step = (uint8_t)take_line(r, line);
		*in = slice_from(*in, lf + 1);
	}
	return r->step;
}

enum verdict reply_verdict(const struct reply *r)
{
	if (r->step != REPLY_DONE)
		return V_TEMP;
	switch (r->code / 100) {
	case 2:
		return V_OK;
	case 5:
		return V_PERM;
	default:
		return V_TEMP;
	}
}

struct slice reply_text(const struct reply *r)
{
	return (struct slice){ r->text, r->text_n };
}

void reply_put_enhanced(const struct reply *r, struct buf *out)
{
	bool known = r->step == REPLY_DONE;

	buf_dec(out, known ? r->code / 100 : 4);
	buf_u8(out, '.');
	buf_dec(out, known ? r->subject : 0);
	buf_u8(out, '.');
	buf_dec(out, known ? r->detail : 0);
}
