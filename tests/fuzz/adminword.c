/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "smtpd/admin/screen.h"
#include "smtpd/admin/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Whatever is typed, a line that is taken is text of bounded length, and a command has what it needs. Whatever rows
 * the queue sends, only printable ASCII comes out, in one piece. */
static void typed(struct slice in)
{
	struct wordline l = { .n = 0 };
	struct word w;

	while (wordline_feed(&l, &in)) {
		struct slice line = { l.p, l.n };

		for (size_t i = 0; i < l.n; i++)
			if (l.n > WORD_LINE || l.p[i] < ' ' || l.p[i] == 0x7f)
				abort();
		if (!l.bad && !word_parse(line, &w) &&
		    (w.verb >= WORD_VERBS || (w.verb == WORD_HOLD && !w.letter) ||
		     (w.filter.n && (w.verb != WORD_LIST || w.filter.p < line.p ||
				     w.filter.p + w.filter.n > line.p + line.n))))
			abort();
		wordline_next(&l);
	}
}

static void printed(struct slice rows, bool list)
{
	static uint8_t text[SCREEN_TEXT];
	struct buf out = BUF(text);
	struct queue_page m = { .letters = (uint32_t)rows.n, .more = rows.n & 1 };
	struct screen_place next;
	bool ok = list ? screen_list(&out, &m, rows, &next)
		       : screen_show(&out, &m, rows, 0, &next);

	for (size_t i = 0; i < out.len && ok; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			abort();
	if (ok && out.bad)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n };

	if (!n)
		return 0;
	if (p[0] % 4 == 0)
		printed(slice_from(in, 1), true);
	else if (p[0] % 4 == 1)
		printed(slice_from(in, 1), false);
	else
		typed(in);
	return 0;
}
