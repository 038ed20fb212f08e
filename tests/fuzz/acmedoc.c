/* SPDX-License-Identifier: ISC */
#include "keys/acme/acmedoc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void url_or_empty(const char *z)
{
	struct url u;

	if (*z && !url_parse(slice_of(z), &u))
		abort();
}

/* Each document, whatever it is: what is taken is what it is said to be. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct json j;
	static union {
		struct acmedoc_directory directory;
		struct acmedoc_order order;
		struct acmedoc_auth auth;
		struct acmedoc_problem problem;
		struct acmedoc_window window;
	} d;
	struct slice in = { p, n };
	uint8_t mem[512];
	struct buf chain = BUF(mem);
	struct cur c;

	if (acmedoc_directory(&j, in, "classic", &d.directory)) {
		url_or_empty(d.directory.nonce);
		url_or_empty(d.directory.renewal);
	}
	if (acmedoc_order(&j, in, &d.order)) {
		if (!d.order.nauth || d.order.nauth > ACMEDOC_NAMES)
			abort();
		for (unsigned i = 0; i < d.order.nauth; i++)
			url_or_empty(d.order.auth[i]);
	}
	if (acmedoc_auth(&j, in, "http-01", &d.auth)) {
		url_or_empty(d.auth.url);
		if (d.auth.url[0] && strpbrk(d.auth.token, "./\r\n \""))
			abort();
	}
	acmedoc_problem(&j, in, &d.problem);
	if (acmedoc_window(&j, in, &d.window) && d.window.start >= d.window.end)
		abort();
	if (acmedoc_retry(in, 1700000000) > 86400)
		abort();
	acmedoc_link(in, SLICE("alternate"));
	if (acmedoc_chain(in, &chain)) {
		c = CUR(buf_slice(&chain));
		while (!cur_end(&c))
			if (!cur_take(&c, cur_be16(&c)).n)
				abort();
		if (!cur_done(&c))
			abort();
	}
	return 0;
}
