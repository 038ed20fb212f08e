/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX = 4096 };

/* The law said in another way: where does the first CRLF.CRLF end, and is all before it CRLF
 * text? */
static size_t true_end(const uint8_t *p, size_t n)
{
	if (n >= 3 && !memcmp(p, ".\r\n", 3))
		return 3;
	for (size_t i = 0; i + 5 <= n; i++)
		if (!memcmp(p + i, "\r\n.\r\n", 5))
			return i + 5;
	return 0;
}

static bool is_crlf_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!p[i] || (p[i] == '\n' && (!i || p[i - 1] != '\r')))
			return false;
		if (p[i] == '\r' && i + 1 < n && p[i + 1] != '\n')
			return false;
	}
	return true;
}

/* Octet by octet the result is the same. */
static void check_bytewise(const uint8_t *p, size_t n, bool end, bool bad, struct slice text)
{
	static uint8_t room[MAX];
	struct buf out = BUF(room);
	struct dot d = { 0 };
	bool done = false;

	for (size_t i = 0; i < n && !done; i++) {
		struct slice one = { p + i, 1 };

		done = dot_feed(&d, &one, &out);
	}
	if (done != end || d.bad != bad || (!bad && !slice_eq(buf_slice(&out), text)))
		abort();
}

/* A good letter, stuffed again, is what came in. */
static void check_stuffed(struct slice wire, struct slice text)
{
	static uint8_t room[2 * MAX + 8];
	struct buf out = BUF(room);
	struct dot_out d = { 0 };
	struct dot back = { 0 };
	struct slice rest = text, again;
	static uint8_t room_back[MAX];
	struct buf letter = BUF(room_back);

	dot_stuff(&d, &rest, &out);
	if (!dot_stuff_end(&d, &out) || rest.n || out.len > wire.n)
		abort();
	again = buf_slice(&out);
	if (!dot_feed(&back, &again, &letter) || back.bad || again.n ||
	    !slice_eq(buf_slice(&letter), text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[MAX];
	struct buf out = BUF(room);
	struct dot d = { 0 };
	struct slice in = { p, n };
	size_t want;
	bool end;

	if (n > MAX)
		return 0;
	want = true_end(p, n);
	end = dot_feed(&d, &in, &out);
	if (end != (want > 0) || in.n != n - (end ? want : n))
		abort();
	if (d.bad == is_crlf_text(p, n - in.n))
		abort();
	check_bytewise(p, n, end, d.bad, buf_slice(&out));
	if (end && !d.bad)
		check_stuffed((struct slice){ p, want }, buf_slice(&out));
	return 0;
}
