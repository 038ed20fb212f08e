/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/probe.h"

#include <stdio.h>
#include <time.h>

#include "smtpd/proto/dkim_verify.h"
#include "smtpd/proto/dmarc.h"
#include "smtpd/proto/header.h"

/* "RESULT:DOMAIN", or a domain that passes. */
static void identifier_add(struct dmarc *d, enum dmarc_means means, struct slice text)
{
	size_t colon = slice_find(text, ':');
	struct slice result = SLICE("pass");

	if (colon < text.n) {
		result = slice_head(text, colon);
		text = slice_from(text, colon + 1);
	}
	if (slice_ieq(result, SLICE("pass")) || slice_ieq(result, SLICE("temperror")))
		dmarc_add(d, means, text, slice_ieq(result, SLICE("pass")));
}

static void signatures_add(struct dmarc *d, const struct dkim_verify *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->sig[i].verdict == DKIM_PASS || v->sig[i].verdict == DKIM_TEMPERROR)
			dmarc_add(d, DMARC_DKIM, v->sig[i].domain,
				  v->sig[i].verdict == DKIM_PASS);
}

static void part(const char *name, struct slice value)
{
	if (!value.n)
		return;
	printf(" %s=", name);
	probe_write(value);
}

static void verdict_print(const struct dmarc *d)
{
	probe_write(dmarc_verdict_text(d->verdict));
	part("from", d->author);
	part("disposition", dmarc_policy_text(d->disposition));
	part("policy", dmarc_policy_text(d->policy));
	part("record", d->record.domain);
	part("org", d->org);
	part(d->means == DMARC_SPF ? "spf" : "dkim", d->by);
	printf(" queries=%u ", d->asked);
	probe_write(d->reason);
	putchar('\n');
}

static void run(struct dmarc *d, const char *zone_file, struct slice zone)
{
	static struct dnsmsg_answer answer;
	uint8_t mem[DNSMSG_NAME];
	struct buf name = BUF(mem);

	for (; dmarc_ask(d, &name); name.len = 0) {
		probe_find(zone_file, zone, buf_slice(&name), DNSMSG_TXT, &answer);
		dmarc_answer(d, answer.kind, (struct slice){ answer.records, answer.len });
	}
}

/* Without --from a letter is judged with its own signatures. */
int probe_dmarc(struct probe_args a)
{
	const char *zone_file = probe_option(&a, "zone"), *from = probe_option(&a, "from");
	const char *spf = probe_option(&a, "spf"), *dkim;
	uint64_t now = probe_number(&a, "time", (uint64_t)time(NULL), INT64_MAX);
	static struct dkim_verify v;
	static struct dmarc d;
	struct slice zone, text, header, body;

	if (!zone_file)
		return probe_wrong("dmarc needs --zone");
	zone = probe_read(zone_file);
	if (from) {
		text = slice_of(from);
		body = slice_from(text, slice_rfind(text, '@') + 1);
		dmarc_init_domain(&d, body.n ? body : text);
	}
	while (from && (dkim = probe_option(&a, "dkim")))
		for (struct slice rest = slice_of(dkim); rest.n;)
			identifier_add(&d, DMARC_DKIM, slice_word(&rest));
	if (!probe_words(&a, 0, from ? 0 : 1))
		return PROBE_USAGE;
	if (!from) {
		text = probe_letter(&a);
		header_split(text, &header, &body);
		probe_signatures(zone_file, zone, text, now, &v);
		dmarc_init(&d, header);
		signatures_add(&d, &v);
	}
	if (spf)
		identifier_add(&d, DMARC_SPF, slice_of(spf));
	run(&d, zone_file, zone);
	verdict_print(&d);
	return 0;
}
