/* SPDX-License-Identifier: ISC */
#include "smtpd/check/check.h"

#include <bearssl.h>
#include <string.h>

#include "smtpd/check/rights.h"
#include "smtpd/lib/memfd.h"
#include "smtpd/lib/owner.h"
#include "smtpd/msg/queue.h"
#include "smtpd/proto/date.h"
#include "smtpd/proto/dkim_canon.h"
#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/dkim_sign.h"

/*
 * NOTES: an account's letter. Envelope sender, From: and Sender: belong to the account; Date and Message-ID are added
 * when missing and Bcc goes (RFC 6409 8); anything else malformed is refused. The whole header is written anew
 * into j->header, signed once, and the queue gets it in place of the original one (j->skip octets of text).
 *
 *   submit_letter ── HOLDER_DKIM_SIGN ── on_signed ── QUEUE_LETTER ── on_queued
 *
 * Which key signs changes at times; holder.dkim tells when it is another one than was asked for, and is asked once
 * more. With KEYS_DKIM_SECOND the same way is gone twice, RSA's signature waits in j->first.
 */

enum { SELECTOR = 256 };

static const struct say no_key = { 451,
				   { 4, 3, 0 },
				   "The signing key is not ready yet, please try again later" };
static const struct say no_slot = { 550,
				    { 5, 7, 1 },
				    "From: is not in a domain that this machine signs for" };
static const struct say loop = { 554, { 5, 4, 6 }, "Mail loop detected: too many hops" };
static const struct say not_signed = {
	550,
	{ 5, 3, 4 },
	"The letter cannot be signed: it has too many List- fields, or "
	"one that is malformed"
};

static const struct say many_rcpts = {
	554, { 5, 5, 3 }, "The aliases lead to too many recipients, please send several letters"
};

static const struct want want_signed = { HOLDER_DKIM_SIGN, sizeof(struct holder_reply),
					 HOLDER_SIG_MAX };
static const struct want want_long = { HOLDER_DKIM_LONG, sizeof(struct holder_reply),
				       HOLDER_SIG_MAX };
static const struct want want_queued = { QUEUE_LETTER, sizeof(struct answer), ANSWER_TEXT };

static struct job *job_of(struct ask *a)
{
	return OWNER(struct job, ask, a);
}

static struct slice mail_domain(const struct job *j)
{
	struct slice words = j->check->domains.mail, domain = { NULL, 0 };

	for (unsigned i = 0; i <= j->slot; i++)
		domain = slice_word(&words);
	return domain;
}

static bool is_ed25519(bool second)
{
	return second || ON(CONFIG_KEYS_DKIM_ED25519);
}

/* selector: room for it. */
static struct dkim_sign signer(const struct job *j, bool second, struct buf *selector)
{
	struct dkim_sign s = { .domain = mail_domain(j),
			       .time = (uint64_t)j->time,
			       .body_sha256 = j->body_hash,
			       .ed25519 = is_ed25519(second) };

	dkim_key_selector(SLICE(CONFIG_KEYS_DKIM_SELECTOR), second, j->number[second],
			  selector);
	s.selector = buf_slice(selector);
	return s;
}

static void ask_signature(struct job *j);

static void field_put(const struct job *j, bool second, struct slice signature, struct buf *out)
{
	uint8_t mem[SELECTOR];
	struct buf b = BUF(mem);
	struct dkim_sign s = signer(j, second, &b);

	dkim_sign_field(&s, buf_slice(&j->header), signature, out);
}

static void on_queued(struct ask *a, const void *reply, struct slice tail)
{
	job_pass(job_of(a), reply, tail, false);
}

static void on_signed(struct ask *a, const void *reply, struct slice tail)
{
	struct job *j = job_of(a);
	const struct holder_reply *r = reply;
	struct queue_letter m = { .text_size = j->size, .skip = j->skip };
	uint8_t bytes[JOB_FIELD];
	struct buf field = BUF(bytes);
	int fd[MSG_FDS];

	if (!r || r->result == HOLDER_NOT_YET ||
	    (r->result == HOLDER_OTHER_KEY && (!r->number || j->asked > 1))) {
		job_say(j, &no_key);
		return;
	}
	if (r->result == HOLDER_OTHER_KEY) {
		j->check->dkim_number[j->slot][j->second] = r->number;
		ask_signature(j);
		return;
	}
	if (r->result != HOLDER_DONE) {
		job_say(j, &not_signed);
		return;
	}
	if (ON(CONFIG_KEYS_DKIM_SECOND) && !j->second) {
		memcpy(j->first, tail.p, tail.n);
		j->first_n = (uint16_t)tail.n;
		j->second = true;
		j->asked = 0;
		ask_signature(j);
		return;
	}
	if (j->second)
		field_put(j, false, (struct slice){ j->first, j->first_n }, &field);
	field_put(j, j->second, tail, &field);
	if (field.bad || !letter_head(j, buf_slice(&field))) {
		job_say(j, &say_trouble);
		return;
	}
	fd[0] = j->text;
	fd[1] = j->head;
	j->ask.done = on_queued;
	if (!chan_ask(j->check->down, &j->ask, &m, sizeof m, SLICE(""), fd, 2, &want_queued,
		      DOWN_MS))
		job_say(j, &say_busy);
}

static bool ask_holder(struct job *j, struct slice preimage)
{
	struct holder_dkim_sign m = { .slot = (uint8_t)j->slot,
				      .ed25519 = is_ed25519(j->second),
				      .number = j->number[j->second] };

	return chan_ask(j->check->holder, &j->ask, &m, sizeof m, preimage, NULL, 0,
			&want_signed, HOLDER_MS);
}

/* A header with hundreds of addresses in To: does not fit a message. */
static bool ask_holder_long(struct job *j, struct slice preimage)
{
	struct holder_dkim_long m = { .slot = (uint8_t)j->slot,
				      .ed25519 = is_ed25519(j->second),
				      .number = j->number[j->second],
				      .size = (uint32_t)preimage.n };
	int fd = memfd_make("preimage");
	bool ok = fd >= 0 && memfd_append(fd, 0, preimage) && memfd_seal(fd) &&
		  chan_ask(j->check->holder, &j->ask, &m, sizeof m, SLICE(""), &fd, 1,
			   &want_long, HOLDER_MS);

	memfd_close(&fd);
	return ok;
}

static void ask_signature(struct job *j)
{
	static uint8_t bytes[HOLDER_LONG_MAX]; /* scratch; nothing of it survives this call */
	uint8_t mem[SELECTOR];
	struct buf preimage = BUF(bytes), selector = BUF(mem);
	uint32_t known = j->check->dkim_number[j->slot][j->second];
	struct dkim_sign s;

	j->number[j->second] = known ? known : 1;
	j->asked++;
	s = signer(j, j->second, &selector);
	dkim_sign_preimage(&s, buf_slice(&j->header), &preimage);
	j->ask.done = on_signed;
	if (j->header.bad || preimage.bad)
		job_say(j, &not_signed);
	else if (!(preimage.len <= HOLDER_PREIMAGE_MAX ? ask_holder : ask_holder_long)(
			 j, buf_slice(&preimage)))
		job_say(j, &no_key);
}

/* SHA-256 of the relaxed body. */
static bool hash_body(struct job *j, uint64_t at)
{
	br_sha256_context hash;
	struct dkim_body body;
	uint8_t chunk[16 * 1024];

	br_sha256_init(&hash);
	dkim_body_init(&body, DKIM_RELAXED, UINT64_MAX, (struct dkim_sink){ .hash = &hash });
	while (at < j->size) {
		size_t n = j->size - at < sizeof chunk ? j->size - at : sizeof chunk;

		if (!memfd_read(j->text, at, chunk, n))
			return false;
		dkim_body_feed(&body, (struct slice){ chunk, n });
		at += n;
	}
	dkim_body_end(&body);
	br_sha256_out(&hash, j->body_hash);
	return true;
}

static void write_header(struct job *j, const struct letter *l)
{
	struct slice rest = l->header;
	struct header_field f;

	trace_received(&j->header, j, l, SLICE(""));
	while (header_next(&rest, &f))
		if (!slice_ieq(f.name, SLICE("Bcc")) &&
		    !slice_ieq(f.name, SLICE("Resent-Bcc")) &&
		    !slice_ieq(f.name, SLICE("Return-Path")))
			buf_put(&j->header, f.raw);
	if (!header_count(l->header, SLICE("Date"))) {
		buf_put(&j->header, SLICE("Date: "));
		date_put(&j->header, j->time);
		buf_put(&j->header, SLICE("\r\n"));
	}
	if (!header_count(l->header, SLICE("Message-ID"))) {
		buf_put(&j->header, SLICE("Message-ID: <"));
		buf_hex(&j->header, (struct slice){ j->id, sizeof j->id });
		buf_u8(&j->header, '@');
		buf_put(&j->header, mail_domain(j));
		buf_put(&j->header, SLICE(">\r\n"));
	}
}

/* ORCPT of a recipient that the client gave none: the address as he wrote it (RFC 3461 5.2.1), in xtext. */
static void put_orcpt(struct buf *env, struct slice rcpt)
{
	uint8_t bytes[16 + 3 * PATH_OCTETS];
	struct buf b = BUF(bytes);

	buf_put(&b, SLICE("rfc822;"));
	for (size_t i = 0; i < rcpt.n; i++)
		if (rcpt.p[i] > ' ' && rcpt.p[i] <= '~' && rcpt.p[i] != '+' &&
		    rcpt.p[i] != '=') {
			buf_u8(&b, rcpt.p[i]);
		} else {
			buf_u8(&b, '+');
			buf_u8(&b, (uint8_t) "0123456789ABCDEF"[rcpt.p[i] >> 4]);
			buf_u8(&b, (uint8_t) "0123456789ABCDEF"[rcpt.p[i] & 15]);
		}
	envelope_put(env, ENV_ORCPT, buf_slice(&b));
}

/* Two aliases may lead to one address: it gets one copy, and its reports go by the first. */
static bool is_rcpt(const struct job *j, struct slice to)
{
	struct cur in = CUR(buf_slice(&j->env));
	enum env_tag tag;
	struct slice v;

	while (envelope_next(&in, &tag, &v))
		if (tag == ENV_RCPT && slice_eq(v, to))
			return true;
	return false;
}

static void put_rcpt(struct job *j, struct slice to, struct slice original, struct slice dsn)
{
	if (is_rcpt(j, to))
		return;
	envelope_put(&j->env, ENV_RCPT, to);
	if (original.n)
		envelope_put(&j->env, ENV_ORIGINAL, original);
	buf_put(&j->env, dsn);
	j->nrcpt++;
}

bool submit_rcpt(struct job *j, struct slice rcpt, struct buf *dsn, bool orcpt)
{
	struct check *c = j->check;
	uint8_t bytes[PATH_OCTETS];
	struct buf printed = BUF(bytes);
	struct path p;
	struct slice to, w;

	if (!path_addr(rcpt, PATH_BARE | PATH_UTF8, &p))
		return false;
	switch (alias_find(&c->aliases, &c->domains, &p, &to)) {
	case ALIAS_ELSEWHERE:
		path_print(&p, &printed);
		put_rcpt(j, buf_slice(&printed), SLICE(""), buf_slice(dsn));
		return !dsn->bad;
	case ALIAS_TO:
		if (!orcpt)
			put_orcpt(dsn, rcpt);
		while ((w = slice_word(&to)).n)
			put_rcpt(j, w, rcpt, buf_slice(dsn));
		return !dsn->bad;
	default:
		return false;
	}
}

/* An alias keeps its NOTIFY, and its ORCPT or a new one; they hold for each of its destinations. */
static bool put_rcpts(struct job *j, const struct letter *l)
{
	struct cur in = CUR(l->head);
	struct slice rcpt = { NULL, 0 }, v;
	uint8_t bytes[2 * ENV_RECORD_MAX + 8];
	struct buf dsn = BUF(bytes);
	enum env_tag tag;
	bool more, orcpt = false;

	do {
		more = envelope_next(&in, &tag, &v);
		if (more && tag != ENV_RCPT) {
			orcpt |= tag == ENV_ORCPT;
			if (tag == ENV_NOTIFY || tag == ENV_ORCPT)
				envelope_put(&dsn, tag, v);
			continue;
		}
		if (rcpt.n && !submit_rcpt(j, rcpt, &dsn, orcpt))
			return false;
		rcpt = v;
		dsn.len = 0;
		orcpt = false;
	} while (more);
	return true;
}

static void pass_record(struct job *j, const struct letter *l, enum env_tag tag)
{
	struct slice v;

	if (envelope_get(l->head, tag, &v))
		envelope_put(&j->env, tag, v);
}

static bool put_envelope(struct job *j, const struct letter *l, const struct grant *g)
{
	uint8_t bytes[PATH_OCTETS];
	struct buf sender = BUF(bytes);

	path_print(&l->sender, &sender);
	envelope_put(&j->env, ENV_SENDER, buf_slice(&sender));
	envelope_put(&j->env, ENV_ACCOUNT, g->account);
	pass_record(j, l, ENV_BODY);
	pass_record(j, l, ENV_RET);
	pass_record(j, l, ENV_ENVID);
	return put_rcpts(j, l);
}

static bool open_grant(struct job *j, const struct letter *l, struct grant *g)
{
	struct slice octets;

	return envelope_get(l->head, ENV_GRANT, &octets) &&
	       grant_open(octets, j->check->proc.grant_key, loop_clock(), g);
}

/* Whose letter is it, and may it come now? True: j->slot is the signing domain's.
 * False: the job was answered. */
static bool judge(struct job *j, const struct letter *l, const struct grant *g)
{
	uint8_t bytes[ANSWER_TEXT + 1];
	struct buf text = BUF(bytes);
	struct slice domain, name;
	enum header_fault fault = header_check(l->header, l->utf8, &name);
	struct say s;
	int slot = -1;

	if (!rights_sender(g, &l->sender, &text) ||
	    (!fault && !rights_header(g, l->header, &domain, &text))) {
		s = say_made(550, 7, 1, &text, "An address of the letter is not allowed");
		job_say(j, &s);
		return false;
	}
	if (fault) {
		job_fault(j, fault, name);
		return false;
	}
	if (header_count(l->header, SLICE("Received")) >= CONFIG_FORWARD_MAX_HOPS) {
		job_say(j, &loop);
		return false;
	}
	slot = alias_domain(j->check->domains.mail, domain);
	if (slot < 0) {
		job_say(j, &no_slot);
		return false;
	}
	j->slot = (unsigned)slot;
	return true;
}

/* What it comes to behind the aliases is the account's to bear. False: it was answered. */
static bool count(struct job *j, const struct grant *g)
{
	struct slice account = g->account;
	uint8_t bytes[ANSWER_TEXT + 1];
	struct buf text = BUF(bytes);
	struct say s;

	if (!account_may(j->check, g, j->nrcpt, &text, &s)) {
		job_say(j, &s);
		return false;
	}
	if (account.n > sizeof j->account)
		return true; /* no grant is so long */
	memcpy(j->account, account.p, account.n);
	j->account_n = (uint8_t)account.n;
	j->rcpts = j->nrcpt;
	j->taken = loop_clock();
	quota_take(&j->check->quota, account, j->rcpts, j->taken);
	return true;
}

void submit_letter(struct job *j, const struct letter *l)
{
	struct grant g;

	if (!open_grant(j, l, &g)) {
		job_say(j, &say_no_grant);
		return;
	}
	if (!judge(j, l, &g))
		return;
	if (!put_envelope(j, l, &g))
		job_say(j, &say_trouble);
	else if (j->nrcpt > CONFIG_SMTPD_MAX_RCPTS)
		job_say(j, &many_rcpts);
	else if (count(j, &g))
		submit_sign(j, l, j->slot);
}

void submit_sign(struct job *j, const struct letter *l, unsigned slot)
{
	j->slot = slot;
	j->second = false;
	j->asked = 0;
	j->skip = (uint32_t)l->header.n;
	write_header(j, l);
	if (!hash_body(j, l->body))
		job_say(j, &say_trouble);
	else
		ask_signature(j);
}
