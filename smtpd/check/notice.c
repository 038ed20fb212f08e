/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include <string.h>

#include "smtpd/lib/memfd.h"
#include "smtpd/proto/date.h"

/*
 * A letter that some destinations took and others never will is 250 for its sender; postmaster gets this about it.
 * It comes from <> and from MAILER-DAEMON of this host: the host's SPF record vouches for both. Nobody waits for
 * its fate, and none is sent about it.
 */
#define HOST SLICE(CONFIG_SMTPD_HOSTNAME)

static void put_first_domain(const struct check *c, struct buf *b)
{
	buf_put(b, slice_head(c->domains.mail, slice_find(c->domains.mail, ' ')));
}

static void put_rows(const struct job *j, unsigned class, struct buf *b)
{
	for (const struct leg *leg = j->leg; leg < j->leg + j->nlegs; leg++) {
		if (leg->answer.code / 100 != class)
			continue;
		buf_put(b, SLICE("    "));
		buf_visible(b, leg->to);
		buf_put(b, SLICE(": "));
		buf_dec(b, leg->answer.code);
		buf_u8(b, ' ');
		buf_dots(b, leg->answer.enhanced);
		buf_u8(b, ' ');
		buf_visible(b, (struct slice){ leg->text, leg->text_n });
		buf_put(b, SLICE("\r\n"));
	}
}

void notice_put(const struct job *j, struct buf *b)
{
	struct slice id = { j->id, sizeof j->id };

	buf_put(b, SLICE("From: MAILER-DAEMON@"));
	buf_put(b, HOST);
	buf_put(b, SLICE("\r\nTo: postmaster@"));
	put_first_domain(j->check, b);
	buf_put(b, SLICE("\r\nSubject: A letter was refused by some of its destinations\r\n"
			 "Auto-Submitted: auto-generated\r\nDate: "));
	date_put(b, j->time);
	buf_put(b, SLICE("\r\nMessage-ID: <"));
	buf_hex(b, id);
	buf_put(b, SLICE(".notice@"));
	buf_put(b, HOST);
	buf_put(b, SLICE(">\r\n\r\nThe letter with id="));
	buf_hex(b, id);
	buf_put(b, SLICE(" in the log, to\r\n    "));
	buf_visible(b, (struct slice){ j->address, j->address_n });
	buf_put(b, SLICE("\r\nwas taken by\r\n"));
	put_rows(j, 2, b);
	buf_put(b, SLICE("and refused by\r\n"));
	put_rows(j, 5, b);
	buf_put(b, SLICE("Its sender was told that it arrived.\r\n"));
}

/* From <>, to wherever the map leads; false: it does not. */
static bool address(struct job *j, struct slice body)
{
	struct check *c = j->check;
	struct path postmaster = { SLICE("postmaster"), { NULL, 0 } };
	struct slice to, w;

	if (alias_find(&c->aliases, &c->domains, &postmaster, &to) != ALIAS_TO)
		return false;
	j->returned = true; /* it goes as it is */
	/* No notice is another one that was delivered before. */
	memset(j->sha256, 0, sizeof j->sha256);
	memcpy(j->sha256, j->id, sizeof j->id);
	envelope_put(&j->env, ENV_SENDER, SLICE(""));
	envelope_put(&j->env, ENV_BODY, body);
	while ((w = slice_word(&to)).n)
		legs_add(j, SLICE(""), w);
	return true;
}

void notice_letter(struct job *j, const struct letter *l)
{
	struct slice body = SLICE("7");

	envelope_get(l->head, ENV_BODY, &body);
	if (address(j, body))
		legs_start(j);
	else
		job_say(j, &say_unknown);
}

static bool fill(struct job *j, struct slice text)
{
	if (j->text < 0 || !memfd_append(j->text, 0, text) || !memfd_seal(j->text))
		return false;
	j->size = text.n;
	j->utf8 = false;
	return address(j, SLICE("7"));
}

void notice_send(struct check *c, const struct buf *text)
{
	/* Generation 0 is nobody's: the answer goes nowhere. */
	struct call nobody = { .token = { .chan = c->down, .type = CHECK_LETTER },
			       .fd = { memfd_make("text"), -1 } };
	struct job *j = text->bad ? NULL : job_new(c, &nobody);

	memfd_close(&nobody.fd[0]);
	if (!j)
		return;
	if (fill(j, buf_slice(text)))
		legs_start(j);
	else
		job_say(j, &say_trouble);
}
