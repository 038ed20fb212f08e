/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/spf.h"

#include <string.h>

#include "smtpd/proto/spf_macro.h"

/*
 * NOTES
 * frame[0] is the record of the identity, each further frame that of an include in the one before; a redirect takes
 * the place of its frame. frame[i].domain is where text[] is cut when frame i ends. While depth is 0 the first
 * record is on its way. A term that needs %{p} is begun only when validated[] is known for the domain of its frame.
 */
enum asking {
	NOTHING,
	RECORD,	      /* TXT for the identity, an include or a redirect */
	ADDRESS,      /* of the term a */
	EXISTS,	      /* A, whatever the client has */
	EXISTS6,      /* AAAA after that: see on_exists() */
	MX_HOSTS,     /* MX */
	PTR_HOSTS,    /* PTR of the client; for_macro: for %{p} */
	HOST_ADDRESS, /* of a host that one of these two named */
	EXPLANATION,  /* TXT for exp= */
};

enum phase { EVALUATE, EXPLAIN_NAME, EXPLAIN_TEXT };

static struct spf_frame *top(struct spf *s)
{
	return &s->frame[s->depth - 1];
}

static struct slice text_of(const struct spf *s, size_t at, size_t n)
{
	return (struct slice){ s->text + at, n };
}

static struct slice record_of(const struct spf *s, const struct spf_frame *f)
{
	return text_of(s, f->record, f->record_n);
}

static void end(struct spf *s, enum spf_result result, struct slice reason)
{
	const struct spf_frame *f = &s->frame[0];

	s->result = result;
	s->reason = reason;
	s->asking = NOTHING;
	if (s->depth)
		s->matched = text_of(s, (size_t)f->record + f->term, f->term_n);
}

static void ask(struct spf *s, enum asking what, struct slice name)
{
	memmove(s->name, name.p, name.n);
	s->name_n = (uint16_t)name.n;
	s->asking = (uint8_t)what;
}

/* ---- names ---- */

static struct spf_values values(const struct spf *s)
{
	const struct spf_frame *f = &s->frame[s->depth - 1];
	const struct spf_who *w = &s->who;

	return (struct spf_values){
		.ip = w->ip,
		.local = w->local.n ? w->local : SLICE("postmaster"),
		.sender_domain = s->domain,
		.domain = text_of(s, f->domain, f->domain_n),
		.helo = w->helo,
		.validated = (struct slice){ s->validated, s->validated_n },
		.receiver = w->receiver.n ? w->receiver : SLICE("unknown"),
		.now = w->now,
	};
}

/* The target name of a term: its domain-spec, or the domain. False: there is no such name. */
static bool target(const struct spf *s, struct slice spec, struct buf *out)
{
	struct spf_values v = values(s);

	if (spec.n)
		spf_macro_name(spec, &v, out);
	else
		buf_put(out, v.domain);
	return !out->bad;
}

static void ask_target(struct spf *s, enum asking what)
{
	uint8_t mem[sizeof s->name];
	struct buf name = BUF(mem);

	if (target(s, s->term.spec, &name))
		ask(s, what, buf_slice(&name));
	else if (what == RECORD)
		end(s, SPF_PERMERROR, SLICE("include or redirect to what is no name"));
}

static void ask_ptr(struct spf *s, bool for_macro)
{
	uint8_t mem[80];
	struct buf name = BUF(mem);

	s->for_macro = for_macro;
	ipaddr_put_arpa(&name, &s->who.ip);
	ask(s, PTR_HOSTS, buf_slice(&name));
}

/* ---- results of records ---- */

static enum spf_result result_of(uint8_t qualifier)
{
	return qualifier == '-'	  ? SPF_FAIL
	       : qualifier == '~' ? SPF_SOFTFAIL
	       : qualifier == '?' ? SPF_NEUTRAL
				  : SPF_PASS;
}

static struct slice exp_of(const struct spf *s)
{
	struct slice redirect, exp;

	spf_record_check(record_of(s, &s->frame[0]), &redirect, &exp);
	return exp;
}

/* The last record ends with r. RFC 7208 5.2: an include matches when its record passes. */
static void leave(struct spf *s, enum spf_result r)
{
	while (s->depth > 1) {
		const struct spf_frame *f = &s->frame[--s->depth];

		s->text_n = f->domain;
		s->validated_known = false;
		if (r != SPF_PASS)
			return;
		r = result_of(f->qualifier);
	}
	if (r == SPF_FAIL && exp_of(s).n)
		s->phase = EXPLAIN_NAME;
	else
		end(s, r, top(s)->term_n ? SLICE("matched") : SLICE("nothing matched"));
}

static void match(struct spf *s)
{
	leave(s, result_of(s->term.qualifier));
}

static bool count(struct spf *s)
{
	if (s->terms == SPF_TERMS) {
		end(s, SPF_PERMERROR, SLICE("more than 10 terms that look something up"));
		return false;
	}
	s->terms++;
	return true;
}

static void count_void(struct spf *s)
{
	if (s->voids == SPF_VOIDS)
		end(s, SPF_PERMERROR, SLICE("more than 2 look-ups without an answer"));
	s->voids++;
}

/* ---- terms ---- */

/* An IPv4 client is in no network of IPv6 but those of IPv4 addresses (RFC 7208 5.6). */
static bool in_net(const struct spf *s, const struct ipaddr_net *net)
{
	return (!ipaddr_v4(&s->who.ip) || net->bits >= 96) && ipaddr_in(&s->who.ip, net);
}

static void begin(struct spf *s)
{
	s->for_macro = false;
	switch (s->term.kind) {
	case SPF_ALL:
		match(s);
		break;
	case SPF_IP4:
	case SPF_IP6:
		if (in_net(s, &s->term.net))
			match(s);
		break;
	case SPF_INCLUDE:
	case SPF_REDIRECT:
		ask_target(s, RECORD);
		break;
	case SPF_A:
		ask_target(s, ADDRESS);
		break;
	case SPF_MX:
		ask_target(s, MX_HOSTS);
		break;
	case SPF_PTR:
		ask_ptr(s, false);
		break;
	case SPF_EXISTS:
		ask_target(s, EXISTS);
		break;
	default:
		break;
	}
}

static bool looks_up(enum spf_kind kind)
{
	return kind != SPF_ALL && kind != SPF_IP4 && kind != SPF_IP6 && kind <= SPF_REDIRECT;
}

/* The next term of the last record; redirect comes after all others, RFC 7208 6.1. */
static void step(struct spf *s)
{
	struct spf_frame *f = top(s);
	struct slice record = record_of(s, f), exp;
	struct cur c = CUR(slice_from(record, f->next));
	struct spf_term t;

	f->term_n = 0;
	if (spf_record_term(&c, &t)) {
		f->term = (uint16_t)(t.text.p - record.p);
		f->term_n = (uint16_t)t.text.n;
		if (t.kind >= SPF_REDIRECT) {
			f->next = (uint16_t)(record.n - c.s.n);
			return;
		}
	} else {
		t = (struct spf_term){ .kind = SPF_REDIRECT };
		spf_record_check(record, &t.spec, &exp);
		if (!t.spec.n) {
			leave(s, SPF_NEUTRAL);
			return;
		}
	}
	if (looks_up(t.kind)) {
		if (!count(s))
			return;
		if (!s->validated_known && spf_macro_validated(t.spec)) {
			ask_ptr(s, true);
			return;
		}
	}
	f->next = (uint16_t)(record.n - c.s.n);
	s->term = t;
	begin(s);
}

/* RFC 7208 6.2: what goes wrong with an explanation leaves the result as it is. */
static void explain(struct spf *s)
{
	bool named = s->phase == EXPLAIN_TEXT;
	struct slice text = named ? text_of(s, s->text_n, s->explain_n) : exp_of(s);
	struct spf_values v;

	if (!s->validated_known && spf_macro_validated(text)) {
		ask_ptr(s, true);
		return;
	}
	v = values(s);
	if (!named) {
		struct buf name = BUF(s->name);

		spf_macro_name(text, &v, &name);
		s->name_n = (uint16_t)name.len;
		if (!name.bad) {
			s->asking = EXPLANATION;
			return;
		}
	} else {
		struct buf out = BUF(s->explanation_text);

		spf_macro_text(text, &v, &out);
		if (!out.bad)
			s->explanation = buf_slice(&out);
	}
	end(s, SPF_FAIL, SLICE("matched"));
}

static void go(struct spf *s)
{
	while (!s->result && !s->asking)
		if (s->phase == EVALUATE)
			step(s);
		else
			explain(s);
}

/* ---- answers ---- */

/* The record becomes that of a new frame, or of the last one. */
static void enter(struct spf *s, struct slice record)
{
	bool redirect = s->depth && s->term.kind == SPF_REDIRECT;
	struct spf_frame *f, new = { .qualifier = s->term.qualifier };
	struct slice unused;

	if (redirect) {
		f = &s->frame[--s->depth];
		new.qualifier = f->qualifier;
		s->text_n = f->domain;
	}
	s->validated_known = false;
	if (record.n + s->name_n > sizeof s->text - s->text_n) {
		end(s, SPF_PERMERROR, SLICE("records are too long"));
		return;
	}
	new.domain = (uint16_t)s->text_n;
	new.domain_n = s->name_n;
	new.record = (uint16_t)(new.domain + s->name_n);
	new.record_n = (uint16_t)record.n;
	new.next = (uint16_t)(record.n - spf_record_terms(record).s.n);
	memcpy(s->text + new.domain, s->name, s->name_n);
	memcpy(s->text + new.record, record.p, record.n);
	s->text_n = (size_t) new.record + record.n;
	s->frame[s->depth++] = new;
	if (!spf_record_check(record, &unused, &unused))
		end(s, SPF_PERMERROR, SLICE("malformed record"));
}

static void on_record(struct spf *s, struct slice records)
{
	struct cur c = CUR(records);
	struct slice one, record = { 0 };
	unsigned n = 0;

	while (dnsmsg_record(&c, &one))
		if (spf_record_is(one)) {
			record = one;
			n++;
		}
	if (n == 1)
		enter(s, record);
	else if (n)
		end(s, SPF_PERMERROR, SLICE("more than one record"));
	else if (s->depth)
		end(s, SPF_PERMERROR, SLICE("include or redirect to a name without a record"));
	else
		end(s, SPF_NONE, SLICE("no record"));
}

static bool has_client(const struct spf *s, struct slice records)
{
	bool four = ipaddr_v4(&s->who.ip);
	struct cur c = CUR(records);
	struct ipaddr_net net = { .bits = s->term.kind == SPF_PTR || s->for_macro ? 128
					  : four ? 96 + s->term.bits4
						 : s->term.bits6 };
	struct slice one;

	while (dnsmsg_record(&c, &one)) {
		if (one.n != (four ? 4 : sizeof net.addr.b))
			continue;
		if (four)
			net.addr = ipaddr_of4(one.p);
		else
			memcpy(net.addr.b, one.p, one.n);
		if (in_net(s, &net))
			return true;
	}
	return false;
}

static void validated_set(struct spf *s, struct slice name)
{
	memcpy(s->validated, name.p, name.n);
	s->validated_n = (uint16_t)name.n;
	s->validated_known = true;
}

static void next_host(struct spf *s)
{
	struct cur c = CUR(((struct slice){ s->host_text + s->host, s->hosts_n - s->host }));
	struct slice one;

	if (dnsmsg_record(&c, &one)) {
		s->host = s->hosts_n - c.s.n;
		ask(s, HOST_ADDRESS, one);
	} else if (s->for_macro) {
		validated_set(s, SLICE("unknown")); /* RFC 7208 7.3 */
	} else if (s->more_hosts) {
		end(s, SPF_PERMERROR, SLICE("more than 10 MX hosts"));
	}
}

static void host_add(struct spf *s, struct slice host)
{
	struct buf all = { .p = s->host_text, .cap = sizeof s->host_text, .len = s->hosts_n };

	buf_be16(&all, (uint16_t)host.n);
	buf_put(&all, host);
	s->hosts_n = all.len;
}

static void on_mx(struct spf *s, struct slice records)
{
	struct cur c = CUR(records);
	struct slice one;

	for (unsigned n = 0; dnsmsg_record(&c, &one);) {
		one = slice_from(one, 2);
		if (!dnsmsg_question_ok(one))
			continue;
		s->more_hosts = n == SPF_HOSTS;
		if (s->more_hosts)
			break;
		host_add(s, one);
		n++;
	}
	next_host(s);
}

enum nearness { FAR, BELOW, SAME, NEARNESSES };

static enum nearness nearness(struct slice host, struct slice domain)
{
	if (slice_ieq(host, domain))
		return SAME;
	return slice_iends(host, domain) && host.p[host.n - domain.n - 1] == '.' ? BELOW : FAR;
}

/* The first ten names (RFC 7208 4.6.4), the nearest to the domain first; for the term ptr others are of no use. */
static void on_ptr(struct spf *s, struct slice records)
{
	uint8_t mem[sizeof s->name];
	struct buf domain = BUF(mem);
	struct slice one;

	if (target(s, s->for_macro ? SLICE("") : s->term.spec, &domain))
		for (int near = SAME; near >= (s->for_macro ? FAR : BELOW); near--) {
			struct cur c = CUR(records);

			for (int i = 0; i < SPF_HOSTS && dnsmsg_record(&c, &one); i++)
				if (dnsmsg_question_ok(one) &&
				    (int)nearness(one, buf_slice(&domain)) == near)
					host_add(s, one);
		}
	next_host(s);
}

/* A host that an MX or a PTR record named. What fails with a PTR's is skipped (RFC 7208 5.5). */
static void on_host(struct spf *s, bool failed, struct slice records)
{
	if (failed && !s->for_macro && s->term.kind == SPF_MX)
		end(s, SPF_TEMPERROR, SLICE("an MX host could not be looked up"));
	else if (failed || !has_client(s, records))
		next_host(s);
	else if (s->for_macro)
		validated_set(s, (struct slice){ s->name, s->name_n });
	else
		match(s);
}

/* Wider than RFC 7208 5.7: a name that has AAAA records alone exists, too, as other verifiers have it. */
static void on_exists(struct spf *s, bool first, bool found)
{
	if (found)
		match(s);
	else if (first)
		s->asking = EXISTS6;
	else
		count_void(s);
}

static void on_explanation(struct spf *s, struct slice records)
{
	struct cur c = CUR(records);
	struct slice text, more;

	if (!dnsmsg_record(&c, &text) || !text.n || dnsmsg_record(&c, &more) ||
	    text.n > sizeof s->text - s->text_n) {
		end(s, SPF_FAIL, SLICE("matched"));
		return;
	}
	memcpy(s->text + s->text_n, text.p, text.n);
	s->explain_n = text.n;
	s->phase = EXPLAIN_TEXT;
}

void spf_answer(struct spf *s, enum dnsmsg_kind kind, struct slice records)
{
	enum asking was = (enum asking)s->asking;
	bool failed = kind != DNSMSG_OK && kind != DNSMSG_NXDOMAIN && kind != DNSMSG_NODATA;

	if (kind != DNSMSG_OK)
		records.n = 0;
	s->asking = NOTHING;
	if (was == MX_HOSTS || was == PTR_HOSTS) {
		s->host = s->hosts_n = 0;
		s->more_hosts = false;
	}
	if (failed && was >= RECORD && was <= MX_HOSTS && was != EXISTS6)
		end(s, SPF_TEMPERROR, SLICE("a name could not be looked up"));
	else if (was == RECORD)
		on_record(s, records);
	else if (was == EXISTS || was == EXISTS6)
		on_exists(s, was == EXISTS, records.n > 0);
	else if (was == PTR_HOSTS)
		on_ptr(s, records);
	else if (was == HOST_ADDRESS)
		on_host(s, failed, records);
	else if (was == EXPLANATION)
		on_explanation(s, records);
	else if (was != NOTHING && !records.n)
		count_void(s);
	else if (was == MX_HOSTS)
		on_mx(s, records);
	else if (was == ADDRESS && has_client(s, records))
		match(s);
	go(s);
}

bool spf_ask(const struct spf *s, struct slice *name, uint16_t *type)
{
	static const uint16_t types[] = {
		[RECORD] = DNSMSG_TXT,	[EXISTS] = DNSMSG_A,	  [EXISTS6] = DNSMSG_AAAA,
		[MX_HOSTS] = DNSMSG_MX, [PTR_HOSTS] = DNSMSG_PTR, [EXPLANATION] = DNSMSG_TXT,
	};
	bool address = s->asking == ADDRESS || s->asking == HOST_ADDRESS;

	if (!s->asking)
		return false;
	*name = (struct slice){ s->name, s->name_n };
	*type = !address ? types[s->asking] : ipaddr_v4(&s->who.ip) ? DNSMSG_A : DNSMSG_AAAA;
	return true;
}

void spf_init(struct spf *s, const struct spf_who *who)
{
	memset(s, 0, sizeof *s);
	s->who = *who;
	s->domain = who->domain.n ? who->domain : who->helo;
	if (s->domain.n && s->domain.p[s->domain.n - 1] == '.')
		s->domain.n--;
	if (dnsmsg_name_ok(s->domain) && slice_find(s->domain, '.') < s->domain.n)
		ask(s, RECORD, s->domain);
	else
		end(s, SPF_NONE, SLICE("no domain name"));
}

struct slice spf_result_text(enum spf_result result)
{
	static const struct slice text[] = {
		[SPF_PENDING] = SLICE("pending"),     [SPF_NONE] = SLICE("none"),
		[SPF_NEUTRAL] = SLICE("neutral"),     [SPF_PASS] = SLICE("pass"),
		[SPF_FAIL] = SLICE("fail"),	      [SPF_SOFTFAIL] = SLICE("softfail"),
		[SPF_TEMPERROR] = SLICE("temperror"), [SPF_PERMERROR] = SLICE("permerror"),
	};

	return text[result];
}
