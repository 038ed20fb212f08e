/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/probe.h"

#include <stdio.h>
#include <time.h>

#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/spf.h"

/* Runs one check to its end; on standard error, how it went. */
static void check(struct spf *s, const struct spf_who *who, const char *zone_file,
		  struct slice zone)
{
	static struct dnsmsg_answer answer;
	struct slice name, reason;
	uint16_t type;
	unsigned asks = 0;

	spf_init(s, who);
	for (; spf_ask(s, &name, &type); asks++) {
		probe_find(zone_file, zone, name, type, &answer);
		spf_answer(s, answer.kind, (struct slice){ answer.records, answer.len });
	}
	reason = spf_result_text(s->result);
	fprintf(stderr, "probe: %s %.*s: %.*s, %.*s", who->domain.n ? "MAIL FROM" : "HELO",
		(int)s->domain.n, s->domain.p, (int)reason.n, reason.p, (int)s->reason.n,
		s->reason.p);
	if (s->matched.n)
		fprintf(stderr, ": %.*s", (int)s->matched.n, s->matched.p);
	fprintf(stderr, " (%u look-ups)\n", asks);
}

static void verdict_print(const struct spf *s)
{
	probe_write(spf_result_text(s->result));
	putchar(' ');
	if (s->explanation.n) {
		probe_write(s->explanation);
	} else {
		probe_write(s->reason);
		if (s->matched.n)
			fputs(": ", stdout);
		probe_write(s->matched);
	}
	putchar('\n');
}

/* RFC 7208 2.3, 2.4: HELO first. Its fail is the verdict; else that of MAIL FROM is, where there is one. */
int probe_spf(struct probe_args a)
{
	const char *ip = probe_option(&a, "ip"), *helo = probe_option(&a, "helo");
	const char *from = probe_option(&a, "from"), *zone_file = probe_option(&a, "zone");
	static struct spf s;
	struct spf_who who = { .helo = slice_of(helo), .now = (uint64_t)time(NULL) };
	struct slice zone, sender = slice_of(from), domain;
	size_t at;

	if (!ip || !helo || !from || !zone_file)
		return probe_wrong("spf needs --ip, --helo, --from and --zone");
	if (!probe_words(&a, 0, 0))
		return PROBE_USAGE;
	if (!ipaddr_parse(slice_of(ip), &who.ip))
		return probe_wrong("--ip is no address");
	if (sender.n > 1 && sender.p[0] == '<' && sender.p[sender.n - 1] == '>')
		sender = (struct slice){ sender.p + 1, sender.n - 2 };
	at = slice_rfind(sender, '@');
	domain = at < sender.n ? slice_from(sender, at + 1) : sender;
	if (sender.n && !domain.n)
		return probe_wrong("--from has no domain");
	zone = probe_read(zone_file);
	check(&s, &who, zone_file, zone);
	if (sender.n && s.result != SPF_FAIL) {
		who.local = slice_head(sender, sender.n - domain.n - (at < sender.n));
		who.domain = domain;
		check(&s, &who, zone_file, zone);
	}
	verdict_print(&s);
	return 0;
}
