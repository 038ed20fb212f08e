/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/report.h"

#include <string.h>

#include "smtpd/proto/date.h"
#include "smtpd/proto/header.h"

enum {
	LINE_MAX_OCTETS = 998, /* RFC 5322 2.1.1, without CRLF */
	SHORT = 500,	       /* of one value that others said */
	QP_LINE = 72,
};

/* What a sender can do about it, by the enhanced code; the first row that fits. 0: any. */
static const struct {
	uint8_t subject, detail;
	const char *advice;
} advices[] = {
	{ 1, 10, "That domain takes no mail at all. Please look for another address." },
	{ 1, 0,
	  "Please look for a typing error in the address; otherwise ask for the new one." },
	{ 2, 2, "The mailbox is full. Please try again when its owner has made room." },
	{ 2, 0,
	  "The mailbox does not take letters now. Please try another way to reach its owner." },
	{ 3, 4, "The letter is too big for that system. Please send less, or send a link." },
	{ 4, 6,
	  "The letter went in circles. Please tell the administrator of the recipient's domain." },
	{ 4, 0, "Their system could not be reached. Please try again later." },
	{ 6, 0,
	  "Their system cannot handle this kind of letter. Please send it in a simpler form." },
	{ 7, 0,
	  "Their system does not want this letter. Please ask the recipient's administrator." },
	{ 0, 0, "Please read the reason above; if you can remove it, send the letter again." },
};

static const char *const actions[] = {
	[REPORT_FAILED] = "failed",
	[REPORT_DELAYED] = "delayed",
	[REPORT_RELAYED] = "relayed",
};

static void put(struct buf *b, const char *text)
{
	buf_put(b, slice_of(text));
}

static void crlf(struct buf *b)
{
	put(b, "\r\n");
}

/* What others said: printable ASCII in one line, or '?'. */
static void put_clean(struct buf *b, struct slice s)
{
	buf_visible(b, slice_head(s, SHORT));
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] & 0x80)
			return false;
	return true;
}

/* The number of the UTF-8 character at the front, and its octets; 0: none begins there. */
static uint32_t utf8_at(struct slice s, size_t *len)
{
	uint8_t c = s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : 2;
	uint32_t v = n == 1 ? c : c & (0x7fu >> n);

	*len = 1;
	if ((c >= 0x80 && c < 0xc2) || c >= 0xf8 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.p[i] & 0x3f);
	}
	*len = n;
	return v;
}

static void put_hex(struct buf *b, uint32_t v)
{
	bool begun = false;

	for (int shift = 20; shift >= 0; shift -= 4) {
		uint8_t d = v >> shift & 15;

		begun |= d || !shift;
		if (begun)
			buf_u8(b, (uint8_t)(d < 10 ? '0' + d : 'A' + d - 10));
	}
}

/* "rfc822; a@b", or the ASCII form of RFC 6533 3. */
static void put_address(struct buf *b, struct slice a)
{
	size_t len;

	if (is_ascii(a)) {
		put(b, "rfc822; ");
		put_clean(b, a);
		return;
	}
	put(b, "utf-8; ");
	for (a = slice_head(a, SHORT / 2); a.n; a = slice_from(a, len)) {
		uint32_t v = utf8_at(a, &len);

		if (v < ' ' || v == 127) {
			buf_u8(b, '?');
		} else if (v < 127 && v != '\\' && v != '+' && v != '=') {
			buf_u8(b, (uint8_t)v);
		} else {
			put(b, "\\x{");
			put_hex(b, v);
			buf_u8(b, '}');
		}
	}
}

static int hex_digit(uint8_t c)
{
	return byte_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 4) as what it means; as it was said where that is not printable. */
static void put_xtext(struct buf *b, struct slice x)
{
	uint8_t bytes[SHORT];
	struct buf plain = BUF(bytes);

	x = slice_head(x, SHORT);
	for (size_t i = 0; i < x.n; i++) {
		int hi = x.p[i] == '+' && i + 2 < x.n ? hex_digit(x.p[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(x.p[i + 2]) : -1;
		uint8_t c = lo >= 0 ? (uint8_t)(hi << 4 | lo) : x.p[i];

		i += lo >= 0 ? 2 : 0;
		if (c < ' ' || c > '~') {
			put_clean(b, x);
			return;
		}
		buf_u8(&plain, c);
	}
	put_clean(b, buf_slice(&plain));
}

static void put_field(struct buf *b, const char *name, struct slice value)
{
	put(b, name);
	put_clean(b, value);
	crlf(b);
}

/* A clock that is far off says 1970. */
static void put_time(struct buf *b, uint64_t time)
{
	date_put(b, (int64_t)(time < 253402300799u ? time : 0));
}

static void put_date(struct buf *b, const char *name, uint64_t time)
{
	put(b, name);
	put_time(b, time);
	crlf(b);
}

static void put_boundary(struct buf *b, const struct report *r)
{
	put(b, "=_");
	buf_hex(b, (struct slice){ r->id, sizeof r->id });
}

static void put_part(struct buf *b, const struct report *r, const char *type)
{
	put(b, "\r\n--");
	put_boundary(b, r);
	put(b, "\r\nContent-Type: ");
	put(b, type);
	crlf(b);
}

/* ---- the header ---- */

static unsigned kinds(const struct report_rcpt *rcpt, size_t n)
{
	unsigned all = 0;

	for (size_t i = 0; i < n; i++)
		all |= 1u << rcpt[i].action;
	return all;
}

/* The id of the letter, when it is one word in angle brackets. */
static struct slice msgid_of(struct slice header)
{
	static const struct slice none = { NULL, 0 };
	struct header_field f;
	struct slice id;

	if (!header_find(header, SLICE("Message-ID"), &f))
		return none;
	id = slice_trim(f.body);
	if (id.n < 3 || id.n > SHORT || id.p[0] != '<' || id.p[id.n - 1] != '>')
		return none;
	for (size_t i = 1; i + 1 < id.n; i++)
		if (id.p[i] <= ' ' || id.p[i] > '~' || id.p[i] == '<' || id.p[i] == '>')
			return none;
	return id;
}

static const char *subject(const struct report *r, unsigned all)
{
	if (r->notice)
		return "Lost: a letter that was to be forwarded";
	if (all & 1u << REPORT_FAILED)
		return "Undeliverable: your letter did not reach everyone";
	if (all & 1u << REPORT_DELAYED)
		return "Delayed: your letter is still on its way";
	return "Relayed: your letter was passed on";
}

static void put_header(struct buf *b, const struct report *r, unsigned all, bool eight)
{
	struct slice id = msgid_of(r->header);

	put(b, "From: Mail Delivery System <MAILER-DAEMON@");
	put_clean(b, r->domain);
	put(b, ">\r\nTo: ");
	if (is_ascii(r->to)) {
		buf_u8(b, '<');
		put_clean(b, r->to);
		buf_u8(b, '>');
	} else {
		put(b, "undisclosed-recipients:;"); /* the header stays ASCII */
	}
	put(b, "\r\nSubject: ");
	put(b, subject(r, all));
	crlf(b);
	put_date(b, "Date: ", r->now);
	put(b, "Message-ID: <");
	buf_hex(b, (struct slice){ r->id, sizeof r->id });
	put(b, ".report@");
	put_clean(b, r->domain);
	put(b, ">\r\n");
	if (id.n) {
		put_field(b, "In-Reply-To: ", id);
		put_field(b, "References: ", id);
	}
	put(b, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 5 */
	       "MIME-Version: 1.0\r\n"
	       "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
	put_boundary(b, r);
	put(b, "\"\r\n");
	put(b, eight ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	put(b, "\r\nThis is a report in several parts (RFC 6522).\r\n");
}

/* ---- for people ---- */

static const char *advice(const struct report_rcpt *t)
{
	size_t i = 0;

	while ((advices[i].subject && advices[i].subject != t->enhanced[1]) ||
	       (advices[i].detail && advices[i].detail != t->enhanced[2]))
		i++;
	return advices[i].advice;
}

static void put_reply(struct buf *b, const struct report_rcpt *t)
{
	if (t->code && t->host.n) {
		buf_dec(b, t->code);
		buf_u8(b, ' ');
		if (t->enhanced[0]) {
			buf_dots(b, t->enhanced);
			buf_u8(b, ' ');
		}
	}
	put_clean(b, t->text);
}

static void put_reason(struct buf *b, const struct report_rcpt *t)
{
	if (!t->text.n)
		return;
	put(b, "    ");
	if (t->host.n) {
		put_clean(b, t->host);
		put(b, " said:\r\n    ");
	}
	put_reply(b, t);
	crlf(b);
}

static void put_person(struct buf *b, const struct report *r, const struct report_rcpt *t)
{
	put(b, "\r\n<");
	put_clean(b, t->named.n ? t->named : t->final);
	buf_u8(b, '>');
	if (t->named.n) {
		put(b, ", which goes to <");
		put_clean(b, t->final);
		buf_u8(b, '>');
	}
	crlf(b);
	put_reason(b, t);
	if (t->action == REPORT_FAILED) {
		put(b, t->code / 100 == 4
			       ? "    This went on for too long, and was given up.\r\n"
			       : "");
		if (r->notice)
			return;
		put(b, "    ");
		put(b, advice(t));
		crlf(b);
	}
}

static void put_people(struct buf *b, const struct report *r, const struct report_rcpt *rcpt,
		       size_t n, enum report_action action, const char *words)
{
	if (!(kinds(rcpt, n) & 1u << action))
		return;
	crlf(b);
	put(b, words);
	if (action == REPORT_DELAYED) {
		put(b, "You need not do anything: it is tried until ");
		put_time(b, r->until);
		put(b, ",\r\nand you will be told if it is given up then.\r\n");
	}
	for (size_t i = 0; i < n; i++)
		if (rcpt[i].action == action)
			put_person(b, r, &rcpt[i]);
}

/* To postmaster: whose letter it was, and that nobody else knows. */
static void put_notice(struct buf *b, const struct report *r)
{
	put(b, ", about a letter\r\nfrom <");
	put_clean(b, r->sender);
	put(b, "> of\r\n");
	put_time(b, r->arrived);
	put(b, ".\r\nWho sent it was told that it arrived, and is not told of this.\r\n");
	if (!r->untold)
		return;
	put(b, "Since the last notice of this kind there were more such letters: ");
	buf_dec(b, r->untold);
	put(b, ".\r\nEach of them has a line ev=alarm in the log.\r\n");
}

static void put_human(struct buf *b, const struct report *r, const struct report_rcpt *rcpt,
		      size_t n)
{
	put_part(b, r, "text/plain; charset=us-ascii");
	put(b, "\r\nThis is the mail system of ");
	put_clean(b, r->hostname);
	if (r->notice) {
		put_notice(b, r);
	} else {
		put(b, ", about your letter of\r\n");
		put_time(b, r->arrived);
		put(b, ".\r\n");
	}
	put_people(b, r, rcpt, n, REPORT_FAILED,
		   "It could not be delivered to these, and is not tried again:\r\n");
	put_people(b, r, rcpt, n, REPORT_DELAYED,
		   "It could not be delivered to these yet.\r\n");
	put_people(b, r, rcpt, n, REPORT_RELAYED,
		   "It was passed on for these, to systems that do not report further:\r\n");
}

/* ---- for programs ---- */

/* RFC 3464 2.3.4. A letter that was given up has the class of what happened to it. */
static void put_status(struct buf *b, const struct report_rcpt *t)
{
	unsigned class = t->action == REPORT_FAILED ? 5 : t->action == REPORT_DELAYED ? 4 : 2;
	bool known = t->enhanced[0], expired = class == 5 && t->code / 100 == 4;

	put(b, "Status: ");
	buf_dec(b, class);
	buf_u8(b, '.');
	buf_dec(b, expired ? 4 : known ? t->enhanced[1] : 0);
	buf_u8(b, '.');
	buf_dec(b, expired ? 7 : known ? t->enhanced[2] : 0);
	crlf(b);
}

static void put_original(struct buf *b, const struct report_rcpt *t)
{
	size_t semi = slice_find(t->orcpt, ';');

	if (!t->orcpt.n && !t->named.n)
		return;
	put(b, "Original-Recipient: ");
	if (t->orcpt.n && semi < t->orcpt.n) {
		put_clean(b, slice_head(t->orcpt, semi));
		put(b, "; ");
		put_xtext(b, slice_from(t->orcpt, semi + 1));
	} else {
		put_address(b, t->named.n ? t->named : t->final);
	}
	crlf(b);
}

static void put_fields(struct buf *b, const struct report *r, const struct report_rcpt *t)
{
	crlf(b);
	put_original(b, t);
	put(b, "Final-Recipient: ");
	put_address(b, t->final);
	put(b, "\r\nAction: ");
	put(b, actions[t->action]);
	crlf(b);
	put_status(b, t);
	if (t->host.n)
		put_field(b, "Remote-MTA: dns; ", t->host);
	if (t->text.n) {
		put(b, t->host.n ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-tinpost; ");
		put_reply(b, t);
		crlf(b);
	}
	if (t->time)
		put_date(b, "Last-Attempt-Date: ", t->time);
	if (t->action == REPORT_DELAYED)
		put_date(b, "Will-Retry-Until: ", r->until);
}

/* ---- what is returned of the letter ---- */

/* A field with a line that is too long is left out. */
static bool lines_fit(struct slice s)
{
	while (s.n) {
		size_t n = slice_find(s, '\n');

		if (n > LINE_MAX_OCTETS + 1)
			return false;
		s = slice_from(s, n + 1);
	}
	return true;
}

static void put_quoted(struct buf *b, struct slice s, size_t *column)
{
	static const uint8_t digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool end = c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';

		if (!end && *column >= QP_LINE) {
			put(b, "=\r\n");
			*column = 0;
		}
		if (end) {
			crlf(b);
			i++;
			*column = 0;
		} else if (c > ' ' && c <= '~' && c != '=' && (*column || c != '-')) {
			buf_u8(b, c);
			++*column;
		} else {
			buf_u8(b, '=');
			buf_u8(b, digits[c >> 4]);
			buf_u8(b, digits[c & 15]);
			*column += 3;
		}
	}
}

struct returned {
	bool full, global; /* with body; non-ASCII header: RFC 6533 */
	bool eight;
};

static void put_octets(struct buf *b, struct slice s, bool quoted, size_t *column)
{
	if (quoted)
		put_quoted(b, s, column);
	else
		buf_put(b, s);
}

static void put_returned(struct buf *b, const struct report *r, const struct returned *how)
{
	struct slice rest = r->header;
	size_t column = 0, end = 0;
	struct header_field f;

	put_part(b, r,
		 how->full ? (how->global ? "message/global" : "message/rfc822")
			   : (how->global ? "message/global-headers" : "text/rfc822-headers"));
	if (how->global || how->eight)
		put_field(b, "Content-Transfer-Encoding: ",
			  how->global ? SLICE("quoted-printable") : SLICE("8bit"));
	crlf(b);
	while (header_next(&rest, &f)) {
		end += f.raw.n;
		if (end > REPORT_HEADER)
			break;
		if (lines_fit(f.raw))
			put_octets(b, f.raw, how->global, &column);
	}
	if (how->full)
		put_octets(b, r->body, how->global, &column);
}

static bool contains(struct slice s, struct slice word)
{
	while (s.n >= word.n) {
		size_t n = slice_find(s, word.p[0]);

		s = slice_from(s, n);
		if (s.n >= word.n && !memcmp(s.p, word.p, word.n))
			return true;
		s = slice_from(s, 1);
	}
	return false;
}

bool report_put(const struct report *r, const struct report_rcpt *rcpt, size_t n,
		struct buf *out, bool *eight)
{
	struct returned how = { .full = r->body.p && lines_fit(r->body) &&
					r->header.n <= REPORT_HEADER,
				.global = !is_ascii(r->header) };
	uint8_t bytes[2 + 2 * sizeof r->id];
	struct buf boundary = BUF(bytes);

	put_boundary(&boundary, r);
	if (contains(r->header, buf_slice(&boundary)) ||
	    (how.full && contains(r->body, buf_slice(&boundary))))
		return false;
	how.eight = how.full && !how.global && !is_ascii(r->body);
	put_header(out, r, kinds(rcpt, n), how.eight);
	put_human(out, r, rcpt, n);
	put_part(out, r, "message/delivery-status");
	crlf(out);
	if (r->envid.n) {
		put(out, "Original-Envelope-Id: ");
		put_xtext(out, r->envid);
		crlf(out);
	}
	put_field(out, "Reporting-MTA: dns; ", r->hostname);
	put_date(out, "Arrival-Date: ", r->arrived);
	for (size_t i = 0; i < n; i++)
		put_fields(out, r, &rcpt[i]);
	put_returned(out, r, &how);
	put(out, "\r\n--");
	put_boundary(out, r);
	put(out, "--\r\n");
	*eight = how.eight;
	return !out->bad;
}
