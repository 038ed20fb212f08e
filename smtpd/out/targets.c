/* SPDX-License-Identifier: ISC */
#include "smtpd/out/targets.h"

static bool in(const struct target *t, unsigned states)
{
	return states >> t->state & 1;
}

unsigned targets_count(const struct targets *s, unsigned states)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += in(&s->t[i], states);
	return n;
}

void target_end(struct target *t, const struct outcome *o)
{
	if (o != &t->outcome)
		t->outcome = *o;
	t->state = TARGET_DONE;
	if (t->row)
		held_result(t->row, o->code, o->enhanced);
	t->row = NULL;
}

void targets_end(struct targets *s, unsigned states, const struct outcome *o)
{
	for (unsigned i = 0; i < s->n; i++)
		if (in(&s->t[i], states))
			target_end(&s->t[i], o ? o : &s->t[i].outcome);
}

void targets_busy(struct targets *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (in(&s->t[i], TARGETS_YES) && s->t[i].row)
			held_busy(s->t[i].row);
}

void targets_move(struct targets *s, enum target_state from, enum target_state to)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->t[i].state == from)
			s->t[i].state = to;
}

void targets_drop(struct targets *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->t[i].row)
			held_drop(s->t[i].row);
		s->t[i].row = NULL;
	}
	s->n = 0;
}
