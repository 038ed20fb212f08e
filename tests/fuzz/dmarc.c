/* SPDX-License-Identifier: ISC */
#include "tests/unit/dmarclaw.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct slice line_take(struct slice *rest)
{
	struct slice line = slice_head(*rest, slice_find(*rest, '\n'));

	*rest = slice_from(*rest, line.n + 1);
	return line;
}

/* Lines: From:, identifiers (the first is SPF's), then "DOMAIN RECORD" each: the verdict is the one that whole walks give. */
static void by_the_law(struct slice author, struct slice in)
{
	struct law l = { .author = author };
	struct dmarc d;

	for (struct slice ids = line_take(&in); ids.n && l.ids < LAW_IDS;) {
		struct slice one = slice_word(&ids);

		if (dnsmsg_name_ok(one)) {
			l.id[l.ids] = (struct dmarc_identifier){ l.ids ? DMARC_DKIM : DMARC_SPF,
								 true, one };
			l.ids++;
		}
	}
	for (; in.n && l.n < LAW_ENTRIES; l.n++) {
		struct slice line = slice_head(line_take(&in), 200);

		l.domain[l.n] = slice_word(&line);
		l.txt[l.n] = line;
	}
	if (!law_run(&l, &d))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { p, n }, header = line_take(&in);
	uint8_t mem[DNSMSG_NAME];
	struct buf author = BUF(mem),
		   whole = { .p = malloc(header.n + 2), .cap = header.n + 2 };
	struct dmarc d;

	buf_put(&whole, header);
	buf_put(&whole, SLICE("\r\n"));
	dmarc_init(&d, buf_slice(&whole));
	free(whole.p);
	if (d.verdict && (d.verdict != DMARC_PERMERROR || !d.reason.n))
		abort();
	buf_put(&author, d.author);
	if (!d.verdict)
		by_the_law(buf_slice(&author), in);
	return 0;
}
