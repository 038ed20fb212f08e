/* SPDX-License-Identifier: ISC */
#include "keys/acme/talk.h"

#include <string.h>
#include <time.h>

#include "keys/acme/persist.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/base64.h"
#include "smtpd/msg/dns.h"
#include "smtpd/proto/certinfo.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * NOTES
 * A stage is one request and what follows from its reply. begin() asks for what the stage needs first: a nonce, then
 * the signature, then the request goes out. A refused nonce leads back to begin() of the same stage. Where a stage
 * waits for the authority it is begun again after a pause. Nothing runs while neither ask, call nor pause is busy.
 */
enum stage {
	PRINT, /* the account key's thumbprint, from holder */
	DIRECTORY,
	WINDOW,
	ACCOUNT,
	RECORDS, /* in the DNS, one name after the other */
	NEW_ORDER,
	ORDER,
	AUTH,
	CHALLENGE,
	FINALIZE,
	CERTIFICATE,
	ALTERNATE,
	STAGES
};

enum {
	HOLDER_WAIT_MS = 20 * 1000,
	DNS_WAIT_MS = 20 * 1000,
	NONCES = 24,
	POLL_S = 2, /* where the authority does not say */
	POLL_MAX_S = 60,
	DOUBT = 2, /* after so many failures the account is looked for again */
};

static const struct want wants[HOLDER_TYPES] = {
#define PRODUCT(type) [type] = { type, sizeof(struct holder_reply), HOLDER_JWS_MAX }
	PRODUCT(HOLDER_ACME_REQUEST), PRODUCT(HOLDER_ACME_PRINT), PRODUCT(HOLDER_CSR),
	PRODUCT(HOLDER_ALPN_CERT),    PRODUCT(HOLDER_CHAIN_SET),
};

static const struct want want_dns = { DNS_QUERY, sizeof(struct dns_reply), DNS_TAIL };

static void begin(struct talk *t, enum stage s);

/* ---- ends ---- */

static void ended(struct talk *t, enum talk_end end, const char *why)
{
	httpcall_drop(&t->call);
	ask_drop(&t->ask);
	loop_drop(t->env.loop, &t->pause);
	door_close(&t->door);
	t->busy = false;
	t->why = why;
	t->done(t, end);
}

/* An order that came to nothing is not asked for again: the next try makes another, when its time has come. */
static void refused(struct talk *t, const char *why)
{
	if (t->stage >= ORDER)
		t->file->order[0] = 0;
	ended(t, TALK_REFUSED, why);
}

/* The stage once more, or another, after so many seconds. */
static void later(struct talk *t, enum stage s, unsigned seconds)
{
	if (t->env.loop->now >= t->deadline) {
		refused(t, "the authority takes too long");
		return;
	}
	t->stage = s;
	t->pause.due = t->env.loop->now + (int64_t)seconds * 1000;
	loop_add(t->env.loop, &t->pause);
}

static void poll_later(struct talk *t, enum stage s)
{
	unsigned wait = t->retry ? t->retry : POLL_S;

	later(t, s, wait < POLL_MAX_S ? wait : POLL_MAX_S);
}

static bool save(struct talk *t)
{
	bool ok = orderfile_save(t->file);

	if (!ok)
		ended(t, TALK_UNREACHED, "the key disk cannot be written");
	return ok;
}

/* ---- holder ---- */

/* One question to a holder; the answer goes to `done`, which finds the talk by its ask. */
static void ask_holder(struct talk *t, struct chan *c, enum holder_type type, void *msg,
		       size_t size, struct slice tail,
		       void (*done)(struct ask *, const void *, struct slice))
{
	t->ask.done = done;
	if (!chan_ask(c, &t->ask, msg, size, tail, NULL, 0, &wants[type], HOLDER_WAIT_MS))
		ended(t, TALK_UNREACHED, "holder is not there");
}

/* The product; false: there is none, and the talk has ended. */
static bool product(struct talk *t, const struct holder_reply *r, bool good)
{
	if (r && r->result == HOLDER_DONE && good)
		return true;
	ended(t, r && r->result == HOLDER_REFUSED ? TALK_REFUSED : TALK_UNREACHED,
	      !r			    ? "holder did not answer"
	      : r->result == HOLDER_NOT_YET ? "there is no key yet, or no key disk to write to"
					    : "holder refused");
	return false;
}

/* ---- requests ---- */

static void put_text(struct buf *b, const char *before, const char *z)
{
	buf_put(b, slice_of(before));
	buf_put(b, slice_of(z));
	buf_u8(b, '"');
}

static void put_new_order(struct talk *t, struct buf *b)
{
	struct slice names = slice_trim(slice_of(t->what.names));
	const char *between = "{\"identifiers\":[";

	while (names.n) {
		buf_put(b, slice_of(between));
		buf_put(b, SLICE("{\"type\":\"dns\",\"value\":\""));
		buf_put(b, slice_word(&names));
		buf_put(b, SLICE("\"}"));
		between = ",";
	}
	buf_u8(b, ']');
	if (t->directory.profile)
		put_text(b, ",\"profile\":\"", t->what.profile);
	if (t->certid[0] && t->directory.renewal[0] && !t->no_replaces)
		put_text(b, ",\"replaces\":\"", t->certid);
	buf_u8(b, '}');
}

static const char *url_of(struct talk *t, enum stage s)
{
	switch (s) {
	case DIRECTORY:
		return t->file->directory;
	case ACCOUNT:
		return t->directory.account;
	case NEW_ORDER:
		return t->directory.order;
	case ORDER:
		return t->file->order;
	case AUTH:
		return t->order.auth[t->at];
	case CHALLENGE:
		return t->auth.url;
	case FINALIZE:
		return t->order.finalize;
	case CERTIFICATE:
		return t->order.certificate;
	case ALTERNATE:
		return t->alternate[t->next_alternate];
	default:
		return "";
	}
}

static void send(struct talk *t, const char *method, const char *url, struct slice body)
{
	struct buf b = BUF(t->request);

	if (!slice_cstr(slice_of(url), t->url, sizeof t->url) ||
	    !url_parse(slice_of(t->url), &t->target)) {
		refused(t, "a URL is missing");
		return;
	}
	httpcall_put(&b, method, t->target.host, t->target.port, t->target.path,
		     body.p ? "application/jose+json" : "*/*", body);
	if (b.bad) {
		refused(t, "a request does not fit");
		return;
	}
	t->location[0] = 0;
	t->retry = 0;
	if (t->stage != ALTERNATE)
		t->nalternate = t->next_alternate = 0;
	httpcall_start(&t->call, t->target.host, t->target.port, buf_slice(&b));
}

static void on_signed(struct ask *a, const void *reply, struct slice jws)
{
	struct talk *t = OWNER(struct talk, ask, a);

	if (!product(t, reply, jws.n))
		return;
	t->nonce[0] = 0; /* used up */
	send(t, "POST", url_of(t, t->stage), jws);
}

/* POST of this payload; empty: POST-as-GET. */
static void post(struct talk *t, struct slice payload)
{
	uint8_t mem[HOLDER_ACME_TAIL];
	struct buf b = BUF(mem);
	struct slice url = slice_of(url_of(t, t->stage)), nonce = slice_of(t->nonce),
		     account = slice_of(t->stage == ACCOUNT ? "" : t->file->account);
	struct holder_acme_request m = { .url_len = (uint16_t)url.n,
					 .nonce_len = (uint16_t)nonce.n,
					 .account_len = (uint16_t)account.n };

	if (!nonce.n) {
		send(t, "HEAD", t->directory.nonce, (struct slice){ NULL, 0 });
		return;
	}
	buf_put(&b, url);
	buf_put(&b, nonce);
	buf_put(&b, account);
	buf_put(&b, payload);
	if (b.bad)
		refused(t, "a request does not fit");
	else
		ask_holder(t, t->account_holder, HOLDER_ACME_REQUEST, &m, sizeof m,
			   buf_slice(&b), on_signed);
}

static void on_csr(struct ask *a, const void *reply, struct slice csr)
{
	struct talk *t = OWNER(struct talk, ask, a);
	uint8_t mem[HOLDER_PAYLOAD_MAX];
	struct buf b = BUF(mem);

	if (!product(t, reply, csr.n))
		return;
	buf_put(&b, SLICE("{\"csr\":\""));
	base64_put_url(&b, csr);
	buf_put(&b, SLICE("\"}"));
	post(t, buf_slice(&b));
}

static void ask_csr(struct talk *t)
{
	struct holder_csr m = { 0 };

	if (!t->nonce[0])
		post(t, (struct slice){ NULL, 0 }); /* a nonce first */
	else
		ask_holder(t, t->tls_holder, HOLDER_CSR, &m, sizeof m,
			   (struct slice){ NULL, 0 }, on_csr);
}

/* Nothing is ordered before there is a key to order for. */
static void on_key(struct ask *a, const void *reply, struct slice csr)
{
	struct talk *t = OWNER(struct talk, ask, a);

	if (product(t, reply, csr.n))
		begin(t, DIRECTORY);
}

static void on_print(struct ask *a, const void *reply, struct slice text)
{
	struct talk *t = OWNER(struct talk, ask, a);

	struct holder_csr m = { 0 };

	if (product(t, reply, slice_cstr(text, t->print, sizeof t->print)))
		ask_holder(t, t->tls_holder, HOLDER_CSR, &m, sizeof m,
			   (struct slice){ NULL, 0 }, on_key);
}

static void ask_print(struct talk *t)
{
	struct holder_acme_print m = { 0 };

	ask_holder(t, t->account_holder, HOLDER_ACME_PRINT, &m, sizeof m,
		   (struct slice){ NULL, 0 }, on_print);
}

static void ask_window(struct talk *t)
{
	char url[URL_MAX + 1];
	struct buf b = { .p = (uint8_t *)url, .cap = sizeof url - 1 };

	buf_put(&b, slice_of(t->directory.renewal));
	buf_u8(&b, '/');
	buf_put(&b, slice_of(t->certid));
	url[b.len] = 0;
	if (b.bad)
		refused(t, "a URL is too long");
	else
		send(t, "GET", url, (struct slice){ NULL, 0 });
}

/* ---- replies ---- */

/* The account is known. */
static void begin_work(struct talk *t)
{
	t->names = slice_trim(slice_of(t->what.names));
	t->missing = false;
	if (t->what.proof == TALK_DNSPERSIST01)
		begin(t, RECORDS);
	else
		begin(t, t->file->order[0] ? ORDER : NEW_ORDER);
}

static void got_directory(struct talk *t, struct slice text)
{
	if (!acmedoc_directory(&t->json, text, t->what.profile, &t->directory)) {
		refused(t, "that is no directory");
		return;
	}
	if (t->for_window && !t->directory.renewal[0]) {
		ended(t, TALK_DONE, NULL);
		return;
	}
	if (*t->what.profile && !t->directory.profile)
		log_event("profile", "unknown", t->what.profile);
	if (t->for_window)
		begin(t, WINDOW);
	else if (!t->file->account[0] || t->file->failures > DOUBT)
		begin(t, ACCOUNT);
	else
		begin_work(t);
}

static void got_window(struct talk *t, struct slice text)
{
	struct acmedoc_window w;

	if (!acmedoc_window(&t->json, text, &w)) {
		refused(t, "that is no renewal window");
		return;
	}
	t->file->window = w;
	t->wait = t->retry;
	ended(t, TALK_DONE, NULL);
}

static void got_account(struct talk *t, struct slice text)
{
	(void)text;
	if (!t->location[0]) {
		refused(t, "the account has no URL");
		return;
	}
	if (strcmp(t->file->account, t->location) != 0) {
		memcpy(t->file->account, t->location, sizeof t->location);
		t->file->order[0] = 0;
		log_event("account", "terms", t->directory.terms);
	}
	if (save(t))
		begin_work(t);
}

static void follow(struct talk *t)
{
	switch (t->order.status) {
	case ACMEDOC_PENDING:
		t->at = 0;
		t->walked = !t->walked;
		if (t->walked)
			begin(t, AUTH);
		else
			poll_later(t, ORDER); /* all are valid, and it still is */
		return;
	case ACMEDOC_READY:
		if (t->stage == FINALIZE)
			poll_later(t, ORDER); /* not taken note of yet */
		else
			begin(t, FINALIZE);
		return;
	case ACMEDOC_PROCESSING:
		poll_later(t, ORDER);
		return;
	case ACMEDOC_VALID:
		begin(t, CERTIFICATE);
		return;
	default:
		t->file->order[0] = 0;
		refused(t, t->order.problem[0] ? t->order.problem : "the order is not valid");
	}
}

static void got_order(struct talk *t, struct slice text)
{
	if (!acmedoc_order(&t->json, text, &t->order)) {
		refused(t, "that is no order");
		return;
	}
	if (t->stage == NEW_ORDER) {
		if (!t->location[0]) {
			refused(t, "the order has no URL");
			return;
		}
		memcpy(t->file->order, t->location, sizeof t->location);
		t->file->next_try = 0; /* the first restart goes on at once */
		if (!save(t))
			return;
	}
	follow(t);
}

/* The authorization is over; the next one, or the order again. */
static void authorized(struct talk *t)
{
	door_close(&t->door);
	t->posted = false;
	if (++t->at < t->order.nauth)
		begin(t, AUTH);
	else
		begin(t, ORDER);
}

static bool open_file(struct talk *t)
{
	char text[DOOR_TEXT + 1];
	struct buf b = { .p = (uint8_t *)text, .cap = sizeof text - 1 };

	buf_put(&b, slice_of(t->auth.token));
	buf_u8(&b, '.');
	buf_put(&b, slice_of(t->print));
	text[b.len] = 0;
	return !b.bad && door_open_file(&t->door, t->auth.token, text);
}

static void ready(struct talk *t, bool good)
{
	if (good)
		begin(t, CHALLENGE);
	else
		ended(t, TALK_UNREACHED, "the port of the challenge cannot be opened");
}

static void on_cert(struct ask *a, const void *reply, struct slice cert)
{
	struct talk *t = OWNER(struct talk, ask, a);

	if (product(t, reply, cert.n))
		ready(t, door_open_cert(&t->door, cert));
}

static void ask_cert(struct talk *t)
{
	uint8_t mem[br_sha256_SIZE + URL_HOST];
	struct buf b = BUF(mem);
	struct holder_alpn_cert m = { 0 };
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, t->auth.token, strlen(t->auth.token));
	br_sha256_update(&h, ".", 1);
	br_sha256_update(&h, t->print, strlen(t->print));
	br_sha256_out(&h, mem);
	b.len = br_sha256_SIZE;
	buf_put(&b, slice_of(t->auth.name));
	ask_holder(t, t->tls_holder, HOLDER_ALPN_CERT, &m, sizeof m, buf_slice(&b), on_cert);
}

/* Everything that the authority will look for is made ready, then it is told. */
static void prepare(struct talk *t)
{
	if (t->what.proof == TALK_HTTP01)
		ready(t, open_file(t));
	else if (t->what.proof == TALK_TLSALPN01)
		ask_cert(t);
	else
		begin(t, CHALLENGE);
}

static const char *const proofs[] = {
	[TALK_HTTP01] = "http-01",
	[TALK_TLSALPN01] = "tls-alpn-01",
	[TALK_DNSPERSIST01] = "dns-persist-01",
};

static void got_auth(struct talk *t, struct slice text)
{
	struct acmedoc_auth *a = &t->auth;

	if (!acmedoc_auth(&t->json, text, proofs[t->what.proof], a)) {
		refused(t, "that is no authorization");
		return;
	}
	if (a->status == ACMEDOC_VALID) {
		authorized(t);
	} else if (a->status != ACMEDOC_PENDING) {
		t->file->order[0] = 0;
		refused(t, a->problem[0] ? a->problem : "an authorization is not valid");
	} else if (!a->url[0] || (!a->token[0] && t->what.proof != TALK_DNSPERSIST01)) {
		refused(t, "the challenge is not offered");
	} else if (t->posted) {
		poll_later(t, AUTH);
	} else {
		prepare(t);
	}
}

/* Of one name; then the next one's are looked for. */
static void on_records(struct ask *a, const void *reply, struct slice records)
{
	struct talk *t = OWNER(struct talk, ask, a);
	const struct dns_reply *r = reply;
	uint8_t text_mem[PERSIST_TEXT], name_mem[PERSIST_NAME];
	struct buf text = BUF(text_mem), name = BUF(name_mem);

	if (!r || r->result == DNS_FAILED) {
		ended(t, TALK_UNREACHED, "name service failed");
		return;
	}
	persist_name(slice_word(&t->names), &name);
	persist_text(t->what.issuer, t->file->account, &text);
	if (r->result != DNS_OK || !persist_found(records, buf_slice(&text))) {
		persist_tell(buf_slice(&name), buf_slice(&text));
		t->missing = true;
	}
	if (t->names.n)
		begin(t, RECORDS);
	else if (t->missing)
		ended(t, TALK_UNREACHED, "a record is not published yet");
	else
		begin(t, t->file->order[0] ? ORDER : NEW_ORDER);
}

/* Before the authority looks: it counts what it looks for in vain. */
static void ask_records(struct talk *t)
{
	struct dns_query q = { .qtype = DNSMSG_TXT };
	uint8_t mem[PERSIST_NAME];
	struct buf name = BUF(mem);
	struct slice names = t->names;

	persist_name(slice_word(&names), &name);
	t->ask.done = on_records;
	if (!chan_ask(t->env.dns, &t->ask, &q, sizeof q, buf_slice(&name), NULL, 0, &want_dns,
		      DNS_WAIT_MS))
		ended(t, TALK_UNREACHED, "name service is not there");
}

static void got_challenge(struct talk *t, struct slice text)
{
	(void)text;
	t->posted = true;
	poll_later(t, AUTH);
}

/* The chain's last certificate is issued by this common name. */
static bool preferred(const struct talk *t, struct slice chain)
{
	struct cur c = CUR(chain);
	struct certinfo last = { 0 };

	while (!cur_end(&c))
		certinfo_parse(cur_take(&c, cur_be16(&c)), &last);
	return slice_eq(certinfo_common_name(last.issuer), slice_of(t->what.root));
}

static void on_taken(struct ask *a, const void *reply, struct slice nothing)
{
	struct talk *t = OWNER(struct talk, ask, a);

	(void)nothing;
	const struct holder_reply *r = reply;

	if (r && r->result == HOLDER_REFUSED)
		refused(t, "the certificate is not for our key and names");
	else if (product(t, reply, true))
		ended(t, TALK_DONE, NULL);
}

static void install(struct talk *t)
{
	struct holder_chain_set m = { 0 };
	struct cur c = CUR(((struct slice){ t->chain, t->chain_n }));
	struct certinfo leaf;

	if (!certinfo_parse(cur_take(&c, cur_be16(&c)), &leaf) ||
	    slice_eq(leaf.issuer, leaf.subject) || leaf.not_after <= time(NULL)) {
		refused(t, "the certificate is over, or issued by nobody");
		return;
	}
	ask_holder(t, t->tls_holder, HOLDER_CHAIN_SET, &m, sizeof m,
		   (struct slice){ t->chain, t->chain_n }, on_taken);
}

static void got_certificate(struct talk *t, struct slice text)
{
	uint8_t mem[HOLDER_CERT_TAIL];
	struct buf b = BUF(mem);
	bool wish = *t->what.root;

	if (!acmedoc_chain(text, &b)) {
		refused(t, "that is no chain of certificates");
		return;
	}
	if (t->stage == ALTERNATE)
		t->next_alternate++;
	if (t->stage == CERTIFICATE || preferred(t, buf_slice(&b))) {
		memcpy(t->chain, b.p, b.len);
		t->chain_n = b.len;
	}
	if (wish && !preferred(t, (struct slice){ t->chain, t->chain_n }) &&
	    t->next_alternate < t->nalternate)
		begin(t, ALTERNATE);
	else
		install(t);
}

/* A try is counted before it asks for anything: what dies in between is not repeated at once. False: it has ended. */
static bool count(struct talk *t)
{
	if (t->counted)
		return true;
	t->counted = true;
	orderfile_failed(t->file, time(NULL), false);
	return save(t);
}

static void begin_new_order(struct talk *t)
{
	uint8_t mem[HOLDER_PAYLOAD_MAX];
	struct buf b = BUF(mem);

	if (!count(t))
		return;
	put_new_order(t, &b);
	post(t, buf_slice(&b));
}

/* One of before is another try: machines that restart there again and again come to wait. */
static void begin_order(struct talk *t)
{
	if (count(t))
		post(t, (struct slice){ NULL, 0 });
}

static void begin_challenge(struct talk *t)
{
	post(t, SLICE("{}"));
}

static void begin_directory(struct talk *t)
{
	send(t, "GET", t->file->directory, (struct slice){ NULL, 0 });
}

static void begin_read(struct talk *t)
{
	post(t, (struct slice){ NULL, 0 });
}

static const struct {
	const char *name;
	void (*begin)(struct talk *t);
	void (*got)(struct talk *t, struct slice body);
} stages[] = {
	[PRINT] = { "print", ask_print, NULL },
	[DIRECTORY] = { "directory", begin_directory, got_directory },
	[WINDOW] = { "window", ask_window, got_window },
	[ACCOUNT] = { "account", begin_read, got_account },
	[RECORDS] = { "records", ask_records, NULL },
	[NEW_ORDER] = { "newOrder", begin_new_order, got_order },
	[ORDER] = { "order", begin_order, got_order },
	[AUTH] = { "authorization", begin_read, got_auth },
	[CHALLENGE] = { "challenge", begin_challenge, got_challenge },
	[FINALIZE] = { "finalize", ask_csr, got_order },
	[CERTIFICATE] = { "certificate", begin_read, got_certificate },
	[ALTERNATE] = { "alternate", begin_read, got_certificate },
};

_Static_assert(sizeof stages / sizeof *stages == STAGES, "row missing");

static void begin(struct talk *t, enum stage s)
{
	t->stage = s;
	stages[s].begin(t);
}

/* A status that is no success. */
static void problem(struct talk *t, struct slice body)
{
	enum { TOO_MANY = 429, UNAVAILABLE = 503, CONFLICT = 409, NOT_FOUND = 404 };
	unsigned status = t->call.reply.status;
	struct logline l;

	acmedoc_problem(&t->json, body, &t->problem);
	if (!strcmp(t->problem.type, "badNonce") && ++t->nonces <= NONCES) {
		begin(t, t->stage);
		return;
	}
	if (t->stage == NEW_ORDER && status == CONFLICT && !t->no_replaces) {
		t->no_replaces = true; /* RFC 9773 5: it was replaced before */
		begin(t, NEW_ORDER);
		return;
	}
	log_begin(&l, "problem");
	log_text(&l, "at", stages[t->stage].name);
	log_num(&l, "status", status);
	log_text(&l, "type", t->problem.type);
	log_text(&l, "detail", t->problem.detail);
	log_send(&l);
	if (!strcmp(t->problem.type, "accountDoesNotExist"))
		t->file->account[0] = t->file->order[0] = 0;
	if (t->stage == ORDER && status == NOT_FOUND)
		t->file->order[0] = 0;
	t->wait = t->retry;
	if (t->wait && (status == TOO_MANY || status == UNAVAILABLE))
		ended(t, TALK_LATER, "the authority wants us to wait");
	else
		refused(t,
			t->problem.detail[0] ? t->problem.detail : "refused without a reason");
}

static void on_field(struct httpreply *r, struct slice name, struct slice value)
{
	struct talk *t = OWNER(struct talk, call.reply, r);
	struct slice link = acmedoc_link(value, SLICE("alternate"));

	if (slice_ieq(name, SLICE("replay-nonce")))
		slice_cstr(value, t->nonce, sizeof t->nonce);
	else if (slice_ieq(name, SLICE("location")))
		slice_cstr(value, t->location, sizeof t->location);
	else if (slice_ieq(name, SLICE("retry-after")))
		t->retry = acmedoc_retry(value, time(NULL));
	else if (slice_ieq(name, SLICE("link")) && link.n && t->stage == CERTIFICATE &&
		 t->nalternate < TALK_ALTERNATES &&
		 slice_cstr(link, t->alternate[t->nalternate], sizeof(acmedoc_url)))
		t->nalternate++;
}

static void on_call(struct httpcall *h)
{
	struct talk *t = OWNER(struct talk, call, h);
	struct slice body = buf_slice(&h->reply.body);

	if (t->env.loop->now >= t->deadline)
		refused(t, "the authority takes too long");
	else if (h->why)
		ended(t, h->reply.why ? TALK_REFUSED : TALK_UNREACHED, h->why);
	else if (h->reply.status / 100 != 2)
		problem(t, body);
	else if (!h->reply.bodiless) {
		t->nonces = 0;
		stages[t->stage].got(t, body);
	} else if (t->nonce[0]) {
		begin(t, t->stage);
	} else {
		refused(t, "there is no nonce");
	}
}

static void on_pause(struct watch *w, short got)
{
	struct talk *t = OWNER(struct talk, pause, w);

	(void)got;
	loop_drop(t->env.loop, w);
	begin(t, t->stage);
}

void talk_start(struct talk *t, bool for_window)
{
	t->busy = true;
	t->for_window = for_window;
	t->why = NULL;
	t->wait = t->nonces = 0;
	t->counted = t->no_replaces = t->posted = t->walked = false;
	t->nonce[0] = 0;
	t->deadline = t->env.loop->now + TALK_MS;
	later(t, PRINT, 0);
}

void talk_init(struct talk *t, int listen_fd)
{
	t->call.env = &t->env;
	t->call.field = on_field;
	t->call.done = on_call;
	t->call.stream.watch.fd = -1;
	t->call.out = (struct buf){ .p = arena_reserve(TALK_REQUEST), .cap = TALK_REQUEST };
	t->call.body = (struct buf){ .p = arena_reserve(TALK_BODY), .cap = TALK_BODY };
	t->pause = (struct watch){ .fd = -1, .ready = on_pause };
	door_init(&t->door, t->env.loop, listen_fd, t->what.proof == TALK_TLSALPN01,
		  t->tls_holder);
}
