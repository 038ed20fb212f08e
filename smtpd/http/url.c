/* SPDX-License-Identifier: ISC */
#include "smtpd/http/url.h"

static bool is_host(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '-' || c == '.';
}

static bool is_path(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '#';
}

bool url_parse(struct slice in, struct url *out)
{
	struct cur c = CUR(in);
	struct url u = { .port = URL_PORT };
	struct slice host;
	uint64_t port;

	cur_word(&c, SLICE("https://"));
	host = cur_span(&c, is_host, URL_HOST);
	if (cur_try(&c, ':')) {
		c.bad |= !slice_u64(cur_span(&c, byte_digit, 5), UINT16_MAX, &port) || !port;
		if (!c.bad)
			u.port = (uint16_t)port;
	}
	u.path = c.s;
	c.bad |= in.n > URL_MAX || !cur_at(&c, '/');
	cur_skip(&c, is_path);
	/* A name's last label is no number (RFC 3696 2). */
	if (!cur_done(&c) || !byte_alpha(host.p[host.n - 1]) ||
	    !slice_cstr(host, u.host, sizeof u.host))
		return false;
	*out = u;
	return true;
}
