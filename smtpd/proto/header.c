/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/header.h"

#include "smtpd/proto/utf8.h"

#define QUOTE(x) #x
#define TEXT(x)	 QUOTE(x) /* of a number in .config */

enum { DEPTH = 16 /* of nested comments */, LOCAL = 64, DOMAIN = 255, LABEL = 63 };

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Index of the next CRLF, or s.n. */
static size_t crlf_find(struct slice s)
{
	size_t at = 0;

	while (at < s.n) {
		at += slice_find(slice_from(s, at), '\r');
		if (at + 1 < s.n && s.p[at + 1] == '\n')
			return at;
		at++;
	}
	return s.n;
}

bool header_split(struct slice text, struct slice *header, struct slice *body)
{
	size_t at = 0, n;

	while ((n = crlf_find(slice_from(text, at))) && at < text.n)
		at += n + 2;
	if (at > text.n)
		at = text.n;
	*header = slice_head(text, at);
	*body = slice_from(text, at + 2);
	return at < text.n;
}

static bool is_ftext(uint8_t c)
{
	return c > ' ' && c <= '~' && c != ':';
}

bool header_next(struct slice *rest, struct header_field *f)
{
	struct cur c;
	size_t end = 0;

	if (!rest->n)
		return false;
	do
		end += crlf_find(slice_from(*rest, end)) + 2;
	while (end < rest->n && is_blank(rest->p[end]));
	*f = (struct header_field){ .raw = slice_head(*rest, end) };
	*rest = slice_from(*rest, end);
	c = CUR(f->raw);
	f->name = cur_skip(&c, is_ftext);
	f->loose = cur_skip(&c, is_blank).n > 0;
	cur_lit(&c, ':');
	if (!f->name.n || c.bad || !slice_iends(c.s, SLICE("\r\n")))
		f->name.n = 0;
	else
		f->body = slice_head(c.s, c.s.n - 2);
	return true;
}

size_t header_count(struct slice header, struct slice name)
{
	struct header_field f;
	size_t n = 0;

	while (header_next(&header, &f))
		n += slice_ieq(f.name, name);
	return n;
}

bool header_find(struct slice header, struct slice name, struct header_field *f)
{
	struct header_field at;

	while (header_next(&header, &at))
		if (slice_ieq(at.name, name)) {
			*f = at;
			return true;
		}
	return false;
}

/* --- addresses --- */

static bool is_atext(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) ||
	       (slice_find(SLICE("!#$%&'*+-/=?^_`{|}~"), c) < 19) || c >= 0x80;
}

/* Many write an address, or a word in brackets, before the address proper and forget the quotes. */
static bool is_said(uint8_t c)
{
	return is_atext(c) || c == '@' || c == '[' || c == ']';
}

static bool is_ldh(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-';
}

static bool is_udh(uint8_t c)
{
	return is_ldh(c) || c >= 0x80;
}

static bool fold(struct cur *c)
{
	if (c->bad || c->s.n < 3 || c->s.p[0] != '\r' || c->s.p[1] != '\n' ||
	    !is_blank(c->s.p[2]))
		return false;
	cur_take(c, 3);
	return true;
}

/* One octet of a comment or a quoted string: text, white space, a fold or a quoted pair. */
static void inside(struct cur *c)
{
	uint8_t x;

	if (fold(c))
		return;
	cur_try(c, '\\');
	x = cur_u8(c);
	if ((x < ' ' && x != '\t') || x == 0x7f)
		c->bad = true;
}

static void comment(struct cur *c)
{
	unsigned depth = 0;

	do {
		if (cur_try(c, '('))
			depth++;
		else if (cur_try(c, ')'))
			depth--;
		else
			inside(c);
		if (depth > DEPTH)
			c->bad = true;
	} while (depth && !c->bad);
}

static void cfws(struct cur *c)
{
	for (;;) {
		if (cur_skip(c, is_blank).n || fold(c))
			continue;
		if (!cur_at(c, '('))
			return;
		comment(c);
	}
}

static void quoted(struct cur *c)
{
	cur_lit(c, '"');
	while (!c->bad && !cur_try(c, '"'))
		inside(c);
}

static void dotted(struct cur *c, bool (*is)(uint8_t), size_t max)
{
	do
		cur_span(c, is, max);
	while (cur_try(c, '.'));
}

static struct slice passed(struct slice before, const struct cur *c)
{
	return slice_head(before, before.n - c->s.n);
}

static void addr_spec(struct cur *c, bool (*is)(uint8_t), struct header_addr *a)
{
	struct slice from = c->s;

	if (cur_at(c, '"'))
		quoted(c);
	else
		dotted(c, is_atext, LOCAL);
	a->local = passed(from, c);
	cur_lit(c, '@');
	from = c->s;
	dotted(c, is, LABEL);
	a->domain = passed(from, c);
	/* An encoded word is not an address (RFC 2047 5); a fold inside quotes neither. */
	if (a->local.n > LOCAL || a->domain.n > DOMAIN ||
	    slice_iprefix(a->local, SLICE("=?")) || slice_find(a->local, '\r') < a->local.n)
		c->bad = true;
}

/* What is read: the characters of a domain's labels and of a name's words. */
struct grammar {
	bool (*label)(uint8_t), (*word)(uint8_t);
};

static void phrase(struct cur *c, const struct grammar *g)
{
	for (;;) {
		cfws(c);
		if (cur_end(c) || cur_at(c, '<'))
			return;
		if (cur_at(c, '"'))
			quoted(c);
		else if (!cur_try(c, '.'))
			cur_span(c, g->word, SIZE_MAX);
	}
}

static void mailbox(struct cur *c, const struct grammar *g, struct header_addr *a)
{
	struct cur bare;

	cfws(c);
	bare = *c;
	addr_spec(&bare, g->label, a);
	cfws(&bare);
	if (!bare.bad && (cur_end(&bare) || cur_at(&bare, ','))) {
		*c = bare;
		return;
	}
	phrase(c, g);
	cur_lit(c, '<');
	addr_spec(c, g->label, a);
	cur_lit(c, '>');
	cfws(c);
}

static bool mailboxes(struct slice body, const struct grammar *g, struct header_addr *out,
		      size_t cap, size_t *n)
{
	struct cur c = CUR(body);
	size_t got = 0;

	if (!utf8_clean(body))
		return false;
	do {
		if (got == cap)
			return false;
		mailbox(&c, g, &out[got++]);
	} while (cur_try(&c, ','));
	if (!cur_done(&c))
		return false;
	*n = got;
	return true;
}

bool header_addresses(struct slice body, struct header_addr *out, size_t cap, size_t *n)
{
	static const struct grammar ours = { is_ldh, is_atext };

	return mailboxes(body, &ours, out, cap, n);
}

bool header_authors(struct slice body, struct header_addr *out, size_t cap, size_t *n)
{
	static const struct grammar theirs = { is_udh, is_said };

	return mailboxes(body, &theirs, out, cap, n);
}

/* --- what may be submitted, and forwarded --- */

/* ONCE holds for strangers, too. */
enum { ONCE = 1, ONCE_HERE = 2, LONG = 4, ONE_ADDR = 8, ID = 16, SUBJECT = 32, DATE = 64 };

static const struct {
	struct slice name;
	unsigned rule;
	enum header_fault fault;
} known[] = {
	{ SLICE("From"), ONCE | ONE_ADDR, HEADER_FROM },
	{ SLICE("Sender"), ONCE | ONE_ADDR, HEADER_SENDER },
	{ SLICE("Reply-To"), ONCE, HEADER_OK },
	{ SLICE("To"), ONCE | LONG, HEADER_OK },
	{ SLICE("Cc"), ONCE | LONG, HEADER_OK },
	{ SLICE("Bcc"), ONCE_HERE | LONG, HEADER_OK },
	{ SLICE("Subject"), ONCE | SUBJECT, HEADER_OK },
	{ SLICE("Date"), ONCE | DATE, HEADER_DATE },
	{ SLICE("Message-ID"), ONCE | ID, HEADER_ID },
	{ SLICE("In-Reply-To"), ONCE, HEADER_OK },
	{ SLICE("References"), ONCE | LONG, HEADER_OK },
	{ SLICE("MIME-Version"), ONCE_HERE, HEADER_OK },
	{ SLICE("Content-Type"), ONCE_HERE, HEADER_OK },
	{ SLICE("Content-Transfer-Encoding"), ONCE_HERE, HEADER_OK },
};

enum { KNOWN = sizeof known / sizeof *known };

static bool is_id(uint8_t c)
{
	return c < 0x80 && (is_atext(c) || c == '.');
}

static bool is_dtext(uint8_t c)
{
	return c > ' ' && c <= '~' && c != '[' && c != ']' && c != '\\';
}

/* More than RFC 5322 3.6.4: dots may stand anywhere, as some clients have them. */
static bool id_ok(struct slice body)
{
	struct cur c = CUR(body);

	cfws(&c);
	cur_lit(&c, '<');
	if (cur_at(&c, '"'))
		quoted(&c);
	else
		cur_span(&c, is_id, HEADER_MSGID);
	cur_lit(&c, '@');
	if (cur_try(&c, '[')) {
		cur_span(&c, is_dtext, HEADER_MSGID);
		cur_lit(&c, ']');
	} else {
		cur_span(&c, is_id, HEADER_MSGID);
	}
	cur_lit(&c, '>');
	cfws(&c);
	return cur_done(&c);
}

/* A number of so many digits; *n: how many they were. */
static unsigned number(struct cur *c, size_t least, size_t most, size_t *n)
{
	struct slice digits = cur_span(c, byte_digit, most);
	uint64_t value = 0;

	*n = digits.n;
	c->bad |= digits.n < least || !slice_u64(digits, UINT32_MAX, &value);
	cfws(c);
	return (unsigned)value;
}

/* Two digits, less than `end`. */
static void part(struct cur *c, unsigned end)
{
	size_t n;

	c->bad |= number(c, 2, 2, &n) >= end;
}

/* A word of three letters out of `list`; which one. */
static unsigned word_of(struct cur *c, const char *list)
{
	struct slice word = cur_span(c, byte_alpha, 3), at = slice_of(list);
	unsigned i = 0;

	while (at.n && !slice_ieq(word, slice_head(at, 3))) {
		at = slice_from(at, 3);
		i++;
	}
	c->bad |= !at.n;
	cfws(c);
	return i;
}

static void zone(struct cur *c)
{
	size_t n;

	if (cur_try(c, '+') || cur_try(c, '-'))
		c->bad |= number(c, 4, 4, &n) % 100 >= 60;
	else
		cur_span(c, byte_alpha,
			 5); /* names beyond RFC 5322's are in use, and its 4.3 knows */
	cfws(c);
}

/* RFC 5322 3.3 with the obsolete forms of 4.3. Whether the day of the week is right is not asked. */
static bool date_ok(struct slice body)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct cur c = CUR(body);
	unsigned day, month, year, leap;
	size_t n;

	cfws(&c);
	if (!cur_end(&c) && byte_alpha(*c.s.p)) {
		word_of(&c, "MonTueWedThuFriSatSun");
		cur_lit(&c, ',');
		cfws(&c);
	}
	day = number(&c, 1, 2, &n);
	month = word_of(&c, "JanFebMarAprMayJunJulAugSepOctNovDec");
	year = number(&c, 2, 9, &n);
	year += n > 3 ? 0 : n == 2 && year < 50 ? 2000 : 1900;
	part(&c, 24);
	cur_lit(&c, ':');
	cfws(&c);
	part(&c, 60);
	if (cur_try(&c, ':')) {
		cfws(&c);
		part(&c, 61);
	}
	zone(&c);
	leap = month == 1 && year % 4 == 0 && (year % 100 || year % 400 == 0);
	return cur_done(&c) && year >= 1900 && day && day <= days[month] + leap;
}

/* Printable octets, white space, and CRLF only in folds that carry text: a line of nothing but white
 * space is where some readers see the end of the header. */
static enum header_fault octets_check(struct slice raw, bool utf8)
{
	bool text = false;

	if (utf8 && !utf8_clean(raw))
		return HEADER_8BIT;
	for (size_t i = 0; i < raw.n; i++) {
		uint8_t c = raw.p[i];

		if (c >= 0x80 && !utf8)
			return HEADER_8BIT;
		if (c == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n') {
			if (!text)
				return HEADER_MALFORMED;
			text = false;
			i++;
		} else if (c == 0x7f || (c < ' ' && c != '\t')) {
			return HEADER_MALFORMED;
		} else if (!is_blank(c)) {
			text = true;
		}
	}
	return HEADER_OK;
}

/* What lies in the field, and in which words: `stranger` may write what is legal and obsolete. */
static enum header_fault value_check(const struct header_field *f, unsigned rule,
				     enum header_fault fault, bool stranger)
{
	struct header_addr one;
	size_t n;

	if (f->name.n > HEADER_NAME)
		return HEADER_LONG_NAME;
	if (f->raw.n > HEADER_FIELD && !(rule & LONG))
		return HEADER_LONG;
	if (rule & SUBJECT && slice_trim(f->body).n > HEADER_SUBJECT)
		return HEADER_LONG_SUBJECT;
	if (rule & ID && slice_trim(f->body).n > HEADER_MSGID)
		return HEADER_LONG_ID;
	if (stranger)
		return fault == HEADER_FROM && !header_authors(f->body, &one, 1, &n)
			       ? HEADER_FROM
			       : HEADER_OK;
	if ((rule & ONE_ADDR && !header_addresses(f->body, &one, 1, &n)) ||
	    (rule & ID && !id_ok(slice_trim(f->body))) || (rule & DATE && !date_ok(f->body)))
		return fault;
	return HEADER_OK;
}

static enum header_fault field_check(const struct header_field *f, bool utf8, bool stranger,
				     unsigned seen[KNOWN])
{
	enum header_fault fault = HEADER_OK;
	unsigned rule = 0;
	size_t i;

	if (!stranger)
		fault = octets_check(f->raw, utf8);
	else if (utf8 ? !utf8_clean(f->raw) : utf8_needed(f->raw))
		fault = HEADER_8BIT;
	if (fault || !f->name.n || (f->loose && !stranger))
		return fault ? fault : HEADER_MALFORMED;
	for (i = 0; i < KNOWN && !slice_ieq(f->name, known[i].name); i++)
		;
	if (i == KNOWN)
		return value_check(f, 0, HEADER_OK, stranger);
	rule = known[i].rule;
	if (seen[i]++ && rule & (stranger ? ONCE : ONCE | ONCE_HERE))
		return HEADER_DUPLICATE;
	return value_check(f, rule, known[i].fault, stranger);
}

static enum header_fault check(struct slice header, bool utf8, bool stranger,
			       struct slice *name)
{
	unsigned seen[KNOWN] = { 0 };
	struct header_field f;
	size_t fields = 0;

	*name = (struct slice){ NULL, 0 };
	if (header.n > HEADER_OCTETS)
		return HEADER_LARGE;
	while (header_next(&header, &f)) {
		enum header_fault fault = field_check(&f, utf8, stranger, seen);

		if (fault) {
			*name = f.name;
			return fault;
		}
		if (++fields > HEADER_FIELDS)
			return HEADER_MANY;
	}
	if (!seen[0]) {
		*name = known[0].name;
		return HEADER_FROM;
	}
	return HEADER_OK;
}

enum header_fault header_check(struct slice header, bool utf8, struct slice *name)
{
	return check(header, utf8, false, name);
}

enum header_fault header_check_stranger(struct slice header, bool utf8, struct slice *name)
{
	return check(header, utf8, true, name);
}

struct slice header_fault_text(enum header_fault fault)
{
	static const struct slice text[] = {
		[HEADER_OK] = SLICE("2.0.0 the header is well-formed"),
		[HEADER_MALFORMED] = SLICE(
			"5.6.0 not a header field, write `Name: text` in printable ASCII"),
		[HEADER_8BIT] = SLICE("5.6.7 octets above 127 need encoded words (RFC 2047), "
				      "or SMTPUTF8 and valid UTF-8"),
		[HEADER_DUPLICATE] = SLICE("5.6.0 this field may stand only once"),
		[HEADER_LARGE] = SLICE("5.3.4 the whole header may have at most " TEXT(
			CONFIG_SMTPD_MAX_HEADER) " KiB"),
		[HEADER_MANY] = SLICE("5.3.4 the header may have at most " TEXT(
			CONFIG_SMTPD_MAX_FIELDS) " fields"),
		[HEADER_LONG] = SLICE("5.3.4 this field may have at most 32 KiB"),
		[HEADER_LONG_NAME] = SLICE("5.3.4 the name of a field may have at most 1 KiB"),
		[HEADER_LONG_SUBJECT] = SLICE("5.3.4 this field may have at most 998 octets"),
		[HEADER_LONG_ID] = SLICE("5.3.4 this field may have at most 500 octets"),
		[HEADER_FROM] =
			SLICE("5.6.0 there must be one, and it must hold exactly one address"),
		[HEADER_SENDER] = SLICE("5.6.0 it must hold exactly one address"),
		[HEADER_ID] = SLICE("5.6.0 it must be one <left@right>"),
		[HEADER_DATE] = SLICE("5.6.0 it must be like 1 Jan 2026 00:00:00 +0000"),
	};

	_Static_assert(sizeof text / sizeof *text == HEADER_FAULTS, "row missing");
	return fault < HEADER_FAULTS ? text[fault] : text[HEADER_MALFORMED];
}
