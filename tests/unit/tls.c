/* SPDX-License-Identifier: ISC */
#include "smtpd/lib/tls.h"

#include <string.h>

#include "tests/unit/issue.h"
#include "tests/unit/test.h"

static struct tls server, client;
static struct cert cert, other;
static struct tls_anchors anchors, strangers;

struct side {
	struct tls *t;
	uint8_t in_mem[20000], out_mem[20000];
	struct buf in, out;
	enum tls_state state;
};

static struct side s, c;

/* Octets from a to b, at most `step` at a time. */
static bool carry(struct side *a, struct side *b, size_t step)
{
	struct slice tx = tls_tx(a->t);
	struct buf rx = tls_rx(b->t);
	size_t n = tx.n < rx.cap ? tx.n : rx.cap;

	if (n > step)
		n = step;
	if (!n)
		return false;
	memcpy(rx.p, tx.p, n);
	tls_tx_done(a->t, n);
	tls_rx_done(b->t, n);
	return true;
}

static void run(size_t step)
{
	bool moved = true;

	while (moved) {
		size_t before = s.in.len + s.out.len + c.in.len + c.out.len;

		c.state = tls_step(c.t, &c.in, &c.out);
		moved = carry(&c, &s, step);
		s.state = tls_step(s.t, &s.in, &s.out);
		moved |= carry(&s, &c, step);
		moved |= before != s.in.len + s.out.len + c.in.len + c.out.len;
	}
}

static void begin(const struct tls_anchors *a, const char *host)
{
	s = (struct side){ .t = &server };
	c = (struct side){ .t = &client };
	s.in = BUF(s.in_mem);
	s.out = BUF(s.out_mem);
	c.in = BUF(c.in_mem);
	c.out = BUF(c.out_mem);
	cert.tbs_len = 0;
	tls_server(&server, &cert.id);
	tls_client(&client, a, host);
}

static void good(const struct tls_anchors *a, size_t step)
{
	begin(a, "mx.example.org");
	run(step);
	CHECK_EQ(s.state, TLS_UP);
	CHECK_EQ(c.state, TLS_UP);
	CHECK(strncmp(tls_suite(&server), "ECDHE-ECDSA-", 12) == 0);
	CHECK(strcmp(tls_suite(&server), tls_suite(&client)) == 0);
	CHECK(br_ssl_engine_get_ec(server.eng) == &server.curves);
	CHECK(br_ssl_engine_get_ec(client.eng) == &client.curves);
	CHECK_EQ(cert.algorithm, 0x403); /* ECDSA with SHA-256 */
	CHECK(cert.tbs_len == 64 + 4 + 32 || cert.tbs_len == 64 + 4 + 65);
	for (size_t i = 0; i < 20000; i++)
		c.out_mem[i] = (uint8_t)(i * 7 >> 3);
	c.out.len = 20000;
	buf_put(&s.out, SLICE("220 hello\r\n"));
	run(step);
	CHECK_EQ(s.in.len, 20000);
	CHECK_EQ(c.out.len, 0);
	CHECK_SLICE(buf_slice(&c.in), "220 hello\r\n");
	for (size_t i = 0; i < 20000 && i < s.in.len; i++)
		if (s.in_mem[i] != (uint8_t)(i * 7 >> 3)) {
			CHECK(!"octets arrive as sent");
			break;
		}
	tls_end(&client);
	run(step);
	CHECK_EQ(s.state, TLS_CLOSED);
	CHECK_EQ(c.state, TLS_CLOSED);
}

static void bad(const struct tls_anchors *a, const char *host, const char *why)
{
	begin(a, host);
	run(100000);
	CHECK_EQ(c.state, TLS_FAILED);
	CHECK_ROW(strcmp(tls_why(&client), why) == 0, tls_why(&client));
	CHECK(s.state != TLS_UP);
}

static void load(void)
{
	static char pem[4096];
	size_t line, n = cert_pem(&cert, pem);

	CHECK(tls_anchors_load(&anchors, (struct slice){ (uint8_t *)pem, n }, &line));
	CHECK_EQ(anchors.n, 1);
	/* Cut in the middle, and damaged. */
	CHECK(!tls_anchors_load(&strangers, (struct slice){ (uint8_t *)pem, n / 2 }, &line));
	pem[100] = '!';
	CHECK(!tls_anchors_load(&strangers, (struct slice){ (uint8_t *)pem, n }, &line));
	CHECK_EQ(line, 3);
	n = cert_pem(&other, pem);
	n += cert_pem(&other, pem + n);
	CHECK(tls_anchors_load(&strangers, (struct slice){ (uint8_t *)pem, n }, &line));
	CHECK_EQ(strangers.n, 2);
}

/* ---- chains: judged as the client judges them, without a handshake ---- */

static unsigned judge(const struct issued *leaf, const struct issued *inter)
{
	const br_x509_class **x = &client.u.client.x509.minimal.vtable;

	tls_client(&client, &anchors, "leaf");
	(*x)->start_chain(x, "leaf");
	for (const struct issued *i = leaf; i; i = i == leaf ? inter : NULL) {
		(*x)->start_cert(x, (uint32_t)i->der.len);
		(*x)->append(x, i->der.p, i->der.len);
		(*x)->end_cert(x);
	}
	return (*x)->end_chain(x);
}

static void chains(void)
{
	static struct issued leaf, inter;
	const char *root = "mx.example.org";
	CERT_NEST(ec, 256);
	CERT_NEST(rsa, 512);

	put_rsa(&rsa, 2048 / 8);
	CHECK_EQ(judge(issue(&leaf, &cert, root, "leaf", buf_slice(&rsa), false), NULL), 0);
	rsa.len = 0;
	put_rsa(&rsa, 1024 / 8);
	CHECK_EQ(judge(issue(&leaf, &cert, root, "leaf", buf_slice(&rsa), false), NULL),
		 BR_ERR_X509_WEAK_PUBLIC_KEY);
	put_ec(&ec, &other);
	issue(&leaf, &other, "inter", "leaf", buf_slice(&ec), false);
	CHECK_EQ(judge(&leaf, issue(&inter, &cert, root, "inter", buf_slice(&ec), true)), 0);
	CHECK_EQ(judge(&leaf, issue(&inter, &cert, root, "inter", buf_slice(&ec), false)),
		 BR_ERR_X509_NOT_CA);
	leaf.mem[leaf.der.len - 1] ^= 1;
	CHECK_EQ(judge(&leaf, issue(&inter, &cert, root, "inter", buf_slice(&ec), true)),
		 BR_ERR_X509_BAD_SIGNATURE);
}

/* ---- versions and renegotiation ---- */

static void feed(struct side *to, const uint8_t *p, size_t n)
{
	while (n) {
		struct buf rx = tls_rx(to->t);
		size_t k = rx.cap < n ? rx.cap : n;

		if (!k)
			break;
		memcpy(rx.p, p, k);
		tls_rx_done(to->t, k);
		p += k;
		n -= k;
	}
	to->state = tls_step(to->t, &to->in, &to->out);
}

/* Hellos that offer, or choose, TLS 1.1. */
static void old_versions(void)
{
	static const uint8_t offers[] = { 0x16, 3, 1, 0,	45,   1,    0, 0,
					  41,	3, 2, [45] = 2, 0xc0, 0x2b, 1, 0 };
	static const uint8_t chooses[] = { 0x16, 3,  2, 0, 42,		2,    0,
					   0,	 38, 3, 2, [44] = 0xc0, 0x2b, 0 };

	begin(&anchors, "mx.example.org");
	feed(&s, offers, sizeof offers);
	CHECK_EQ(tls_tx(&server).n, 7); /* an alert: protocol_version */
	tls_tx_done(&server, tls_tx(&server).n);
	CHECK_EQ(tls_step(&server, &s.in, &s.out), TLS_FAILED);
	CHECK_EQ(br_ssl_engine_last_error(server.eng), BR_ERR_SEND_FATAL_ALERT + 70);
	begin(&anchors, "mx.example.org");
	c.state = tls_step(&client, &c.in, &c.out);
	tls_tx_done(&client, tls_tx(&client).n);
	feed(&c, chooses, sizeof chooses);
	CHECK_EQ(br_ssl_engine_last_error(client.eng), BR_ERR_UNSUPPORTED_VERSION);
}

/* One side wants to negotiate once more; the other says no. */
static void renegotiation(struct side *asks)
{
	begin(&anchors, "mx.example.org");
	run(100000);
	CHECK_EQ(c.state, TLS_UP);
	cert.tbs_len = 0;
	br_ssl_engine_set_all_flags(asks->t->eng, 0);
	CHECK(br_ssl_engine_renegotiate(asks->t->eng));
	run(100000);
	CHECK_EQ(cert.tbs_len, 0); /* nothing was signed again */
	CHECK_EQ(br_ssl_engine_last_error(asks->t->eng), BR_ERR_RECV_FATAL_ALERT + 100);
}

/* The client's second handshake with the session of its first: true when it was resumed. */
static bool again(br_ssl_session_parameters *session)
{
	begin(&anchors, "mx.example.org");
	br_ssl_engine_set_session_parameters(client.eng, session);
	br_ssl_client_reset(&client.u.client.ctx, "mx.example.org", 1);
	run(4096);
	CHECK_EQ(s.state, TLS_UP);
	CHECK_EQ(c.state, TLS_UP);
	CHECK(server.resumed == !cert.tbs_len); /* a resumed session needs no signature */
	buf_put(&s.out, SLICE("220 hello\r\n"));
	run(4096);
	CHECK_SLICE(buf_slice(&c.in), "220 hello\r\n");
	return server.resumed;
}

static void test_resumption(void)
{
	static struct tls_cache cache;
	static uint8_t mem[2 * TLS_SESSION];
	br_ssl_session_parameters one, more[2];

	good(&anchors, 4096);
	br_ssl_engine_get_session_parameters(client.eng, &one);
	CHECK(!again(&one)); /* no cache */
	cert.id.cache = &cache;
	tls_cache_init(&cache, mem, sizeof mem);
	good(&anchors, 4096);
	CHECK(!server.resumed);
	br_ssl_engine_get_session_parameters(client.eng, &one);
	CHECK(again(&one) && again(&one));
	/* The one that was not used for longest makes room. */
	for (int i = 0; i < 2; i++) {
		good(&anchors, 4096);
		br_ssl_engine_get_session_parameters(client.eng, &more[i]);
	}
	CHECK(!again(&one));
	CHECK(again(&more[1]));
	/* Forgotten, and the keys with it. */
	tls_cache_init(&cache, mem, sizeof mem);
	for (size_t i = 0; i < sizeof mem; i++)
		CHECK(mem[i] == 0);
	CHECK(!again(&more[1]));
	cert.id.cache = NULL;
}

int main(void)
{
	cert_make(&cert, "mx.example.org");
	cert_make(&other, "mx.example.org");
	load();
	good(&anchors, 100000);
	good(&anchors, 1);
	good(NULL, 1000);
	bad(&anchors, "mx.example.net", "certificate is for another name");
	bad(&strangers, "mx.example.org", "certificate chain ends at no trust anchor");
	/* Without a signature the handshake ends on both sides. */
	cert.refuse = true;
	begin(&anchors, "mx.example.org");
	run(100000);
	CHECK_EQ(s.state, TLS_FAILED);
	CHECK(strcmp(tls_why(&server), "no signature") == 0);
	CHECK(c.state != TLS_UP);
	cert.refuse = false;
	/* Noise instead of a ClientHello. */
	begin(&anchors, "mx.example.org");
	memcpy(tls_rx(&server).p, "EHLO ", 5);
	tls_rx_done(&server, 5);
	CHECK_EQ(tls_step(&server, &s.in, &s.out), TLS_FAILED);
	test_resumption();
	chains();
	old_versions();
	renegotiation(&s);
	renegotiation(&c);
	TEST_END();
}
