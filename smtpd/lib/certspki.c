/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/certspki.h"

/*
 * NOTES
 * `at` is the element at hand, an index into tags[]; the first two are entered, the others passed over. !tagged: its
 * tag is next. more: so many octets of its length are still to come. left: so many octets of its content.
 */
enum { AT_VERSION = 2, AT_SPKI = 8, AT_END, ENTERED = 2, LENGTH_OCTETS = 3 };

static const uint8_t tags[AT_END] = { 0x30, 0x30, 0xa0 /* version, optional */,
				      0x02, 0x30, 0x30,
				      0x30, 0x30, 0x30 };

static void next(struct certspki *w)
{
	w->tagged = false;
	w->at++;
}

static void length_known(struct certspki *w)
{
	if (w->at < ENTERED) {
		w->left = 0;
		next(w);
	} else if (!w->left) {
		next(w);
	}
}

/* One octet of tag or length. */
static void header(struct certspki *w, uint8_t c)
{
	if (!w->tagged) {
		if (w->at == AT_VERSION && c != tags[AT_VERSION])
			w->at++;
		w->bad = c != tags[w->at];
		w->tagged = true;
		w->more = UINT8_MAX;
	} else if (w->more == UINT8_MAX) {
		w->more = c > 0x80 ? c & 0x7f : 0;
		w->left = c < 0x80 ? c : 0;
		w->bad = c == 0x80 || w->more > LENGTH_OCTETS;
		if (!w->more)
			length_known(w);
	} else {
		w->left = w->left << 8 | c;
		if (!--w->more)
			length_known(w);
	}
}

static bool in_content(const struct certspki *w)
{
	return w->tagged && !w->more;
}

struct slice certspki_feed(struct certspki *w, struct slice in)
{
	size_t from = in.n, i = 0;

	while (i < in.n && !w->bad && w->at < AT_END) {
		size_t n = in.n - i;

		if (w->at == AT_SPKI && from == in.n)
			from = i;
		if (!in_content(w)) {
			header(w, in.p[i++]);
			continue;
		}
		if (n > w->left)
			n = w->left;
		i += n;
		w->left -= (uint32_t)n;
		if (!w->left)
			next(w);
	}
	return slice_from(slice_head(in, i), from);
}

bool certspki_done(const struct certspki *w)
{
	return !w->bad && w->at == AT_END;
}
