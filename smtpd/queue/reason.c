/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/reason.h"

#include <string.h>

uint32_t reason_note(struct reasons *t, uint16_t code, const uint8_t enhanced[3],
		     struct slice text)
{
	struct reason *r;

	text = slice_head(text, REASON_TEXT);
	for (unsigned i = 0; i < REASONS; i++) {
		r = &t->row[i];
		if (r->serial && r->code == code && !memcmp(r->enhanced, enhanced, 3) &&
		    slice_eq((struct slice){ r->text, r->n }, text))
			return r->serial;
	}
	t->last += t->last == UINT32_MAX ? 2 : 1; /* never 0 */
	r = &t->row[t->last % REASONS];
	*r = (struct reason){ .serial = t->last, .code = code, .n = (uint8_t)text.n };
	memcpy(r->enhanced, enhanced, 3);
	if (text.n)
		memcpy(r->text, text.p, text.n);
	return t->last;
}

const struct reason *reason_get(const struct reasons *t, uint32_t serial)
{
	const struct reason *r = &t->row[serial % REASONS];

	return serial && r->serial == serial ? r : NULL;
}
