/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "smtpd/front/authline.h"

#include <string.h>
#include <sys/random.h>

#include "smtpd/proto/base64.h"

_Static_assert((int)AUTHLINE_SAID >= 2 * AUTH_USER_MAX + AUTH_PASSWORD_MAX + 2, "PLAIN fits");

enum { IDLE, PLAIN, LOGIN_USER, LOGIN_PASSWORD, CRAM, SCRAM_FIRST, SCRAM_FINAL, SCRAM_END };

static const char *const prompts[] = {
	[PLAIN] = "334 ",
	[LOGIN_USER] = "334 VXNlcm5hbWU6",
	[LOGIN_PASSWORD] = "334 UGFzc3dvcmQ6",
	[SCRAM_FIRST] = "334 ",
};

const char *authline_prompt(const struct authline *a)
{
	return a->step == CRAM ? a->prompt : prompts[a->step];
}

void authline_wipe(struct authline *a)
{
	explicit_bzero(a, sizeof *a);
}

static bool keep(uint8_t *to, uint16_t *to_n, size_t max, struct slice s)
{
	if (!s.n || s.n > max)
		return false;
	memcpy(to, s.p, s.n);
	*to_n = (uint16_t)s.n;
	return true;
}

static enum authline_next plain(struct authline *a, struct slice s)
{
	size_t user = slice_find(s, 0);
	struct slice authzid = slice_head(s, user), rest = slice_from(s, user + 1);
	size_t n = slice_find(rest, 0);
	struct slice name = slice_head(rest, n), password = slice_from(rest, n + 1);

	/* To act as somebody else is not offered. */
	if (user == s.n || n == rest.n || (authzid.n && !slice_eq(authzid, name)))
		return AUTHLINE_BAD;
	if (slice_find(password, 0) < password.n)
		return AUTHLINE_BAD;
	if (!keep(a->user, &a->user_n, sizeof a->user, name) ||
	    !keep(a->password, &a->password_n, sizeof a->password, password))
		return AUTHLINE_BAD;
	return AUTHLINE_DONE;
}

/* <random octets@host>, in base64 as it will be said. */
static bool make_challenge(struct authline *a)
{
	uint8_t random[16], text[AUTH_PASSWORD_MAX];
	struct buf b = BUF(text),
		   prompt = { .p = (uint8_t *)a->prompt, .cap = sizeof a->prompt };

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return false;
	buf_u8(&b, '<');
	buf_hex(&b, (struct slice){ random, sizeof random });
	buf_put(&b, SLICE("@" CONFIG_SMTPD_HOSTNAME ">"));
	buf_put(&prompt, SLICE("334 "));
	base64_put(&prompt, buf_slice(&b));
	buf_u8(&prompt, 0);
	return !b.bad && !prompt.bad;
}

static int nibble(uint8_t c)
{
	c = byte_lower(c);
	return byte_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "user digest"; kept are the digest's octets and the challenge. */
static enum authline_next cram(struct authline *a, struct slice s)
{
	size_t at = slice_rfind(s, ' ');
	struct slice hex = slice_from(s, at + 1);
	uint8_t mem[AUTH_PASSWORD_MAX];
	struct buf b = BUF(mem);

	if (!keep(a->user, &a->user_n, sizeof a->user, slice_head(s, at)) ||
	    hex.n != 2 * AUTH_CRAM_DIGEST)
		return AUTHLINE_BAD;
	for (size_t i = 0; i < hex.n; i += 2) {
		int high = nibble(hex.p[i]), low = nibble(hex.p[i + 1]);

		if (high < 0 || low < 0)
			return AUTHLINE_BAD;
		buf_u8(&b, (uint8_t)(high << 4 | low));
	}
	a->mechanism = AUTH_CRAM_MD5;
	return base64_get(slice_from(slice_of(a->prompt), 4), &b) &&
			       keep(a->password, &a->password_n, sizeof a->password,
				    buf_slice(&b))
		       ? AUTHLINE_DONE
		       : AUTHLINE_BAD;
}

static enum authline_next decoded(struct authline *a, struct slice s)
{
	switch (a->step) {
	case PLAIN:
		return plain(a, s);
	case LOGIN_USER:
		if (!keep(a->user, &a->user_n, sizeof a->user, s))
			return AUTHLINE_BAD;
		a->step = LOGIN_PASSWORD;
		return AUTHLINE_ASK;
	case CRAM:
		return cram(a, s);
	case SCRAM_FIRST:
		if (!keep(a->first, &a->password_n, sizeof a->first, s))
			return AUTHLINE_BAD;
		a->step = SCRAM_FINAL;
		return AUTHLINE_FIRST;
	case SCRAM_FINAL:
		a->step = SCRAM_END;
		return s.n ? AUTHLINE_FINAL : AUTHLINE_BAD;
	case SCRAM_END:
		return s.n ? AUTHLINE_BAD : AUTHLINE_AGREED;
	default:
		if (!keep(a->password, &a->password_n, sizeof a->password, s))
			return AUTHLINE_BAD;
		return AUTHLINE_DONE;
	}
}

enum authline_next authline_feed(struct authline *a, struct slice line, struct buf *said)
{
	if (slice_eq(line, SLICE("*")))
		return AUTHLINE_CANCEL;
	return base64_get(line, said) ? decoded(a, buf_slice(said)) : AUTHLINE_BAD;
}

enum authline_next authline_begin(struct authline *a, struct slice arg, unsigned offer,
				  struct buf *said)
{
	struct slice mechanism = slice_head(arg, slice_find(arg, ' '));
	struct slice initial = slice_from(arg, mechanism.n + 1);

	authline_wipe(a);
	if (slice_ieq(mechanism, SLICE("PLAIN")))
		a->step = PLAIN;
	else if (slice_ieq(mechanism, SLICE("LOGIN")))
		a->step = LOGIN_USER;
	else if (slice_ieq(mechanism, SLICE("SCRAM-SHA-256")) && offer & AUTH_OFFER_SCRAM)
		a->step = SCRAM_FIRST;
	else if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5) && offer & AUTH_OFFER_CRAM &&
		 slice_ieq(mechanism, SLICE("CRAM-MD5")))
		return mechanism.n == arg.n && make_challenge(a)
			       ? (a->step = CRAM, AUTHLINE_ASK)
			       : AUTHLINE_BAD;
	else
		return AUTHLINE_WHAT;
	if (mechanism.n == arg.n)
		return AUTHLINE_ASK;
	if (slice_eq(initial, SLICE("="))) /* an empty initial response (RFC 4954 4) */
		return decoded(a, (struct slice){ NULL, 0 });
	return initial.n ? authline_feed(a, initial, said) : AUTHLINE_BAD;
}
