/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/mynetworks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"

static int nibble(uint8_t c)
{
	c = byte_lower(c);
	if (byte_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void get_hex(struct cur *c, uint8_t *out, size_t n)
{
	struct slice s = cur_take(c, 2 * n);

	for (size_t i = 0; !c->bad && i < n; i++) {
		int high = nibble(s.p[2 * i]), low = nibble(s.p[2 * i + 1]);

		c->bad = high < 0 || low < 0;
		out[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	}
}

static bool is_name(uint8_t c)
{
	return c > ' ';
}

/* `Iface TAB Destination TAB Gateway TAB ...`; addresses are numbers as this machine has them in memory. */
static bool gateway_v4(struct slice line, struct ipaddr *out)
{
	struct cur c = CUR(line);
	uint8_t b[4] = { 0 };
	uint32_t v;

	cur_span(&c, is_name, line.n);
	cur_lit(&c, '\t');
	get_hex(&c, b, sizeof b);
	cur_lit(&c, '\t');
	get_hex(&c, b, sizeof b);
	cur_lit(&c, '\t');
	*out = (struct ipaddr){ .b = { [10] = 0xff, 0xff } };
	v = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	memcpy(out->b + 12, &v, sizeof v);
	return !c.bad;
}

/* `destination length source length next-hop ...`, octets in hex. */
static bool gateway_v6(struct slice line, struct ipaddr *out)
{
	struct cur c = CUR(line);
	struct ipaddr hop = { 0 };

	for (int i = 0; i < 2; i++) {
		uint8_t length;

		get_hex(&c, hop.b, sizeof hop.b);
		cur_lit(&c, ' ');
		get_hex(&c, &length, 1);
		cur_lit(&c, ' ');
	}
	get_hex(&c, hop.b, sizeof hop.b);
	cur_lit(&c, ' ');
	*out = hop;
	return !c.bad;
}

bool mynetworks_routed(const struct ipaddr_net *net, struct slice text)
{
	static const struct ipaddr none_v4 = { .b = { [10] = 0xff, 0xff } }, none_v6;
	bool v4 = ipaddr_v4(&net->addr);
	const struct ipaddr *none = v4 ? &none_v4 : &none_v6;

	if (v4 && !slice_iprefix(text, SLICE("Iface\t")))
		return true;
	if (v4)
		text = slice_from(text, slice_find(text, '\n') + 1);
	while (text.n) {
		size_t end = slice_find(text, '\n');
		struct slice line = slice_head(text, end);
		struct ipaddr a;

		if (end == text.n || !(v4 ? gateway_v4(line, &a) : gateway_v6(line, &a)))
			return true;
		if (memcmp(&a, none, sizeof a) != 0 && ipaddr_in(&a, net))
			return true;
		text = slice_from(text, end + 1);
	}
	return false;
}

/* The whole file, from its beginning. False: it cannot be read, or is longer than we take. */
static bool read_routes(struct mynetworks *m, int fd, struct slice *out)
{
	size_t have = 0;
	ssize_t n = -1;

	while (fd >= 0 && have < sizeof m->text &&
	       (n = pread(fd, m->text + have, sizeof m->text - have, (off_t)have)) > 0)
		have += (size_t)n;
	*out = (struct slice){ m->text, have };
	return !n && have < sizeof m->text;
}

static bool in_force(struct mynetworks *m, const struct ipaddr_net *net)
{
	struct slice text;

	if (!m->guarded)
		return true;
	return read_routes(m, ipaddr_v4(&net->addr) ? m->routes_v4 : m->routes_v6, &text) &&
	       !mynetworks_routed(net, text);
}

enum mynetworks_word mynetworks_judge(struct mynetworks *m, const uint8_t peer[16])
{
	enum mynetworks_word word = MYNETWORKS_NO;
	struct ipaddr a;

	memcpy(a.b, peer, sizeof a.b);
	for (size_t i = 0; i < m->n; i++) {
		if (!ipaddr_in(&a, &m->net[i]))
			continue;
		if (in_force(m, &m->net[i]))
			return MYNETWORKS_YES;
		word = MYNETWORKS_GATEWAY;
	}
	return word;
}

static void add(struct mynetworks *m, struct slice word)
{
	struct logline l;

	/* A range of IPv6 that holds all of IPv4 (::/0) was never meant. */
	if (m->n == MYNETWORKS_MAX || !ipaddr_net_parse(word, &m->net[m->n]) ||
	    (m->net[m->n].bits < 96 &&
	     ipaddr_in(&(struct ipaddr){ .b = { [10] = 0xff, 0xff } }, &m->net[m->n])))
		return;
	if (!in_force(m, &m->net[m->n])) {
		log_begin(&l, "mynetworks");
		log_bytes(&l, "range", word);
		log_text(&l, "refused", "gateway");
		log_send(&l);
	}
	m->n++;
}

/* init's place holder for a file that it could not open says nothing about routes. */
static int known(int fd)
{
	return fd >= 0 && fcntl(fd, F_GET_SEALS) < 0 ? fd : -1;
}

void mynetworks_init(struct mynetworks *m, struct slice list, struct slice senders,
		     bool guarded, int routes_v4, int routes_v6)
{
	struct buf rights = BUF(m->rights_mem);
	struct slice word;

	m->guarded = guarded;
	m->routes_v4 = known(routes_v4);
	m->routes_v6 = known(routes_v6);
	m->n = 0;
	buf_put(&rights, senders);
	for (size_t i = 0; i < rights.len; i++)
		if (rights.p[i] == ',')
			rights.p[i] = ' ';
	m->rights = rights.bad ? SLICE("") : buf_slice(&rights);
	while ((word = slice_word(&list)).n)
		add(m, word);
}
