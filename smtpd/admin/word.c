/* SPDX-License-Identifier: ISC */
#include "smtpd/admin/word.h"

enum { BACKSPACE = 0x08, LINE_FEED = 0x0a, RETURN = 0x0d, KILL = 0x15, DEL = 0x7f };

enum arg { ARG_NONE, ARG_LETTER, ARG_FILTER };

static const struct {
	char key;
	const char *name;
	enum arg arg;
	const char *help;
} verbs[] = {
	[WORD_NONE] = { '\0', "", ARG_NONE, NULL },
	[WORD_HELP] = { '?', "help", ARG_NONE, "this" },
	[WORD_LIST] = { 'l', "list", ARG_FILTER,
			"letters in the queue; of an account or for a domain: list NAME" },
	[WORD_MORE] = { 'm', "more", ARG_NONE, "what follows on the last page" },
	[WORD_SHOW] = { 's', "show", ARG_LETTER, "a letter with its recipients: show NUMBER" },
	[WORD_HOLD] = { 'h', "hold", ARG_LETTER,
			"no further tries until release: hold NUMBER" },
	[WORD_RELEASE] = { 'r', "release", ARG_LETTER, "ends hold: release NUMBER" },
	[WORD_RETRY] = { 't', "retry", ARG_LETTER, "tries a letter now: retry NUMBER" },
	[WORD_REMOVE] = { 'v', "remove", ARG_LETTER,
			  "ends it and tells the sender: remove NUMBER" },
	[WORD_DISCARD] = { 'V', "discard", ARG_LETTER,
			   "ends it and tells nobody: discard NUMBER" },
	[WORD_FLUSH] = { 'f', "flush", ARG_NONE, "tries all letters now" },
	[WORD_CHECK] = { 'c', "check", ARG_NONE,
			 "looks up all DNS records of this machine now" },
	[WORD_OTHER] = { 'o', "other", ARG_NONE,
			 ON(CONFIG_FORWARD_SPOOL)
				 ? "the other queue: kept forwarded letters, submitted ones"
				 : NULL },
	[WORD_YES] = { 'y', "yes", ARG_NONE, NULL },
};

_Static_assert(sizeof verbs / sizeof *verbs == WORD_VERBS, "row missing");

static void take(struct wordline *l, uint8_t c)
{
	if (c == KILL) {
		l->n = 0;
		l->bad = false;
	} else if (c == BACKSPACE || c == DEL) {
		l->n -= l->n > 0;
	} else if (c < ' ' || l->n == WORD_LINE) {
		l->bad = true;
	} else {
		l->p[l->n++] = c;
	}
}

bool wordline_feed(struct wordline *l, struct slice *in)
{
	while (in->n) {
		uint8_t c = *in->p;
		bool second = l->cr && c == LINE_FEED;

		*in = slice_from(*in, 1);
		l->cr = c == RETURN;
		if (second)
			continue;
		if (c == RETURN || c == LINE_FEED)
			return true;
		take(l, c);
	}
	return false;
}

void wordline_next(struct wordline *l)
{
	l->n = 0;
	l->bad = false;
}

static bool is_verb(enum word_verb v, struct slice name)
{
	/* Keys are told apart by case, words are not. */
	if (name.n == 1)
		return name.p[0] == (uint8_t)verbs[v].key;
	return slice_ieq(name, slice_of(verbs[v].name));
}

static bool hex_digit(uint8_t c, uint64_t *v)
{
	c = byte_lower(c);
	if (!byte_digit(c) && (c < 'a' || c > 'f'))
		return false;
	*v = *v << 4 | (byte_digit(c) ? c - '0' : c - 'a' + 10);
	return true;
}

/* As the log has it, or the 12 hexadecimal digits that the client was told. */
static bool letter_number(struct slice s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n != 12) {
		if (!slice_u64(s, UINT64_MAX, &v))
			return false;
	} else {
		for (size_t i = 0; i < s.n; i++)
			if (!hex_digit(s.p[i], &v))
				return false;
	}
	*out = v;
	return v;
}

const char *word_parse(struct slice line, struct word *w)
{
	struct slice rest = slice_trim(line), name = slice_word(&rest);
	struct word new = { .verb = WORD_NONE };
	unsigned v = name.n ? WORD_NONE + 1 : WORD_NONE;

	rest = slice_trim(rest);
	while (name.n && v < WORD_VERBS && !is_verb((enum word_verb)v, name))
		v++;
	if (v == WORD_VERBS)
		return "There is no such command; ? lists them.";
	new.verb = (enum word_verb)v;
	if (slice_find(rest, ' ') < rest.n || (verbs[v].arg == ARG_NONE && rest.n))
		return "There is a word too many; ? lists the commands.";
	if (verbs[v].arg == ARG_LETTER && !letter_number(rest, &new.letter))
		return "Say which letter, by its number in the list.";
	if (verbs[v].arg == ARG_FILTER)
		new.filter = rest;
	*w = new;
	return NULL;
}

void word_help(struct buf *out)
{
	for (unsigned v = WORD_NONE + 1; v < WORD_VERBS; v++) {
		if (!verbs[v].help)
			continue;
		buf_put(out, SLICE("  "));
		buf_u8(out, (uint8_t)verbs[v].key);
		buf_put(out, SLICE("  "));
		buf_put(out, slice_of(verbs[v].name));
		for (size_t n = slice_of(verbs[v].name).n; n < 9; n++)
			buf_u8(out, ' ');
		buf_put(out, slice_of(verbs[v].help));
		buf_u8(out, '\n');
	}
}
