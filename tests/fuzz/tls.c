/* SPDX-License-Identifier: ISC */
/*
 * The TLS engine against octets from the network, as server and as client, and PEM anchors. The law:
 * nobody who has not signed or keyed anything gets through a handshake, and the pump never stalls with
 * octets that it neither takes nor refuses.
 */
#include <stdlib.h>
#include <string.h>

#include "smtpd/lib/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	(void)ctx, (void)algorithm, (void)tbs;
	buf_put(sig, SLICE("not a signature"));
	return true;
}

static void handshake(struct tls *t, struct slice net)
{
	static uint8_t in_mem[512], out_mem[512];
	struct buf in = BUF(in_mem), out = BUF(out_mem);
	enum tls_state st = TLS_BUSY;

	for (int idle = 0; idle < 2;) {
		struct slice tx;
		struct buf rx;
		size_t k;

		st = tls_step(t, &in, &out);
		if (st != TLS_BUSY)
			break;
		tx = tls_tx(t);
		if (tx.n)
			tls_tx_done(t, tx.n);
		rx = tls_rx(t);
		k = rx.cap < net.n ? rx.cap : net.n;
		if (k) {
			memcpy(rx.p, net.p, k);
			tls_rx_done(t, k);
			net = slice_from(net, k);
		}
		idle = tx.n || k ? 0 : idle + 1;
	}
	if (st == TLS_UP || in.len || (st == TLS_BUSY && net.n))
		abort();
	if (st == TLS_FAILED && !*tls_why(t))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t der[64];
	static struct tls t;
	static struct tls_identity id = { .n = 1, .sign = sign };
	static struct tls_anchors none;

	id.chain[0] = (br_x509_certificate){ der, sizeof der };
	if (!n)
		return 0;
	if (p[0] % 3 == 0)
		tls_server(&t, &id);
	else
		tls_client(&t, p[0] % 3 == 1 ? &none : NULL, "mx.example.org");
	handshake(&t, (struct slice){ p + 1, n - 1 });
	return 0;
}
