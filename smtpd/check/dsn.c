/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include "smtpd/proto/header.h"

/*
 * NOTES: a report of queue's. Its envelope sender is <>, its one From: is MAILER-DAEMON of a domain of ours: queue gets
 * no signature for anything else. The recipient is the sender of the letter that it is about; in our own domains it
 * goes where the map says.
 */
static const struct say not_a_report = { 550, { 5, 6, 0 }, "This is not a report" };
static const struct say no_mailbox = { 550,
				       { 5, 1, 1 },
				       "The sender of the letter has no mailbox here" };

/* The domain of the MAILER-DAEMON that writes. */
static bool writer(struct slice header, struct slice *domain)
{
	struct header_addr a;
	struct header_field f;
	size_t n;

	if (!header_find(header, SLICE("From"), &f) || !header_addresses(f.body, &a, 1, &n) ||
	    !slice_eq(a.local, SLICE("MAILER-DAEMON")))
		return false;
	*domain = a.domain;
	return true;
}

static void put_records(struct job *j, struct slice head)
{
	static const enum env_tag tags[] = { ENV_REPORT, ENV_ACCOUNT, ENV_BODY, ENV_UTF8 };
	struct slice v;

	envelope_put(&j->env, ENV_SENDER, SLICE(""));
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (envelope_get(head, tags[i], &v))
			envelope_put(&j->env, tags[i], v);
}

void dsn_letter(struct job *j, const struct letter *l)
{
	struct slice domain, rcpt, number, name;
	struct buf none = { 0 };
	int slot = -1;

	if (path_null(&l->sender) && l->nrcpt == 1 &&
	    envelope_get(l->head, ENV_REPORT, &number) &&
	    envelope_get(l->head, ENV_RCPT, &rcpt) &&
	    header_check(l->header, false, &name) == HEADER_OK && writer(l->header, &domain))
		slot = alias_domain(j->check->domains.mail, domain);
	if (slot < 0) {
		job_say(j, &not_a_report);
		return;
	}
	put_records(j, l->head);
	if (!submit_rcpt(j, rcpt, &none, true)) {
		job_say(j, &no_mailbox);
		return;
	}
	submit_sign(j, l, (unsigned)slot);
}
