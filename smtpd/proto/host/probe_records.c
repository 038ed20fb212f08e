/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/host/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/proto/dkim_key.h"
#include "smtpd/proto/publish.h"

static const char intro[] =
	"; Each record stands here twice: in a comment as a web form takes it (name | type | value),\n"
	"; below it as a line of a zone file. A domain that has an SPF record already keeps that one:\n"
	"; put what is new here before its `all`.\n";

static void comment(struct slice name, const char *type, struct slice value)
{
	fputs("; ", stdout);
	probe_write(name);
	printf(" | %s | ", type);
	probe_write(value);
	putchar('\n');
}

static void print(struct slice name, const char *type, struct slice value)
{
	uint8_t mem[PUBLISH_LINE];
	struct buf line = BUF(mem);

	publish_line(name, slice_of(type), value, &line);
	comment(name, type, value);
	probe_write(buf_slice(&line));
	putchar('\n');
}

/* Takes "key=value" of a log line, the value quoted or a word; empty: it is not there. */
static struct slice field(struct slice line, const char *key)
{
	size_t n = strlen(key);

	for (; line.n > n; line = slice_from(line, 1))
		if (memcmp(line.p, key, n) == 0) {
			line = slice_from(line, n);
			if (line.p[0] != '"')
				return slice_head(line, slice_find(line, ' '));
			line = slice_from(line, 1);
			return slice_head(line, slice_find(line, '"'));
		}
	return (struct slice){ NULL, 0 };
}

static bool next_line(struct slice *text, struct slice *line)
{
	*line = slice_head(*text, slice_find(*text, '\n'));
	*text = slice_from(*text, line->n + 1);
	return line->n || text->n;
}

/* "ev=publish name=S._domainkey.D type=TXT value=..." of the console, or "ev=retired name=...": value is empty. */
static bool is_key_of(struct slice line, struct slice domain, struct slice *name,
		      struct slice *value)
{
	static const char mid[] = "._domainkey.";
	size_t n = sizeof mid - 1;

	*name = field(line, "ev=publish name=");
	if (!name->n)
		*name = field(line, "ev=retired name=");
	*value = field(line, " type=TXT value=");
	return slice_iends(*name, domain) && name->n > domain.n + n &&
	       slice_iends(slice_head(*name, name->n - domain.n), SLICE("._domainkey."));
}

static _Noreturn void fault(const char *file, const char *why)
{
	fprintf(stderr, "%s: %s\n", file, why);
	exit(1);
}

static void must_be_key(const char *file, struct slice value)
{
	struct dkim_key key;
	enum dkim_key_fault bad = dkim_key_parse(value, &key);

	if (bad != DKIM_KEY_OK && bad != DKIM_KEY_REVOKED)
		fault(file, "holds a DKIM record that is damaged");
}

/* All records of the file for one domain are shown, or judged at first; a name that comes again counts where it stands
 * last; so does its end. */
static void keys(const char *file, struct slice text, struct slice domain, bool show)
{
	struct slice line, later, name, value, other, more;
	size_t n = 0;
	bool again;

	while (next_line(&text, &line)) {
		if (!is_key_of(line, domain, &name, &value))
			continue;
		again = false;
		for (more = text; next_line(&more, &later);)
			again |= is_key_of(later, domain, &other, &value) &&
				 slice_ieq(other, name);
		if (again)
			continue;
		is_key_of(line, domain, &name, &value);
		if (!value.n)
			continue;
		n++;
		if (show)
			print(name, "TXT", value);
		else
			must_be_key(file, value);
	}
	if (!n)
		fault(file,
		      "has no line `ev=publish name=..._domainkey...` for every mail domain");
}

struct records {
	struct publish_site site;
	const char *file; /* --dkim; NULL: none */
	struct slice keys;
};

static void print_unknown(const struct publish_at *at, struct slice name)
{
	const char *why =
		publish_dkim(at->what)
			? "(made at the first boot, which shows it on the console: save that, and DKIM=FILE)"
		: at->what == PUBLISH_A || at->what == PUBLISH_PTR
			? "(not in .config: INIT_PUBLIC_ADDRESS, or ADDRESS=... here, says what DHCP gives)"
			: "(only where the machine has an IPv6 address: ADDRESS=... says it)";

	comment(name.n ? name : SLICE("(reverse name of ADDRESS)"), publish_type(at->what),
		slice_of(why));
}

static void print_at(const struct records *r, const struct publish_at *at)
{
	uint8_t mem[2][PUBLISH_VALUE];
	struct buf name = BUF(mem[0]), value = BUF(mem[1]);

	publish_name(&r->site, at, &name);
	publish_value(&r->site, at, &value);
	if (at->what == PUBLISH_DKIM_SECOND) /* a text of one record is the first key's */
		value.len = 0;
	if (publish_dkim(at->what) && r->file && !r->site.dkim.n) {
		if (at->what == PUBLISH_DKIM) /* all keys at once */
			keys(r->file, r->keys, at->domain, true);
	} else if (!value.len || !name.len) {
		print_unknown(at, buf_slice(&name));
	} else {
		print(buf_slice(&name), publish_type(at->what), buf_slice(&value));
	}
}

static bool is_reverse(const struct publish_at *at)
{
	return at->what == PUBLISH_PTR || at->what == PUBLISH_PTR6;
}

static void print_all(const struct records *r)
{
	struct publish_at at = { .begun = false };
	struct slice section = { NULL, 0 };

	fputs(intro, stdout);
	while (publish_next(&r->site, &at)) {
		if (is_reverse(&at))
			continue;
		if (at.domain.p != section.p) {
			fputs("\n; ---- ", stdout);
			probe_write(at.domain);
			putchar('\n');
		}
		section = at.domain;
		print_at(r, &at);
	}
	fputs("\n; ---- the reverse zone: who gave you the address sets it, not the zones above\n",
	      stdout);
	for (at = (struct publish_at){ .begun = false }; publish_next(&r->site, &at);)
		if (is_reverse(&at))
			print_at(r, &at);
}

/* The record of an imported key: its modulus is the end of what rootfs/dkim-key keeps. */
static void of_imported(struct records *r, struct slice secret)
{
	static const uint8_t exponent[] = { 1, 0, 1 };
	static uint8_t mem[2][PUBLISH_VALUE];
	struct buf spki = BUF(mem[0]), text = BUF(mem[1]);

	dkim_key_spki(slice_from(secret, secret.n / 7 * 5),
		      (struct slice){ exponent, sizeof exponent }, &spki);
	dkim_key_text(false, buf_slice(&spki), &text);
	r->site.dkim = buf_slice(&text);
}

static bool read_options(struct records *r, struct probe_args *a)
{
	const char *text = probe_option(a, "account");
	struct slice word, words;
	struct ipaddr ip;

	r->site.ca_account = slice_of(text);
	for (text = probe_option(a, "address"); text; text = probe_option(a, "address"))
		for (words = slice_of(text); (word = slice_word(&words)).n;) {
			if (!ipaddr_parse(word, &ip))
				return false;
			*(ipaddr_v4(&ip) ? &r->site.v4 : &r->site.v6) = ip;
		}
	text = probe_option(a, "key");
	if (text)
		of_imported(r, probe_read(text));
	r->file = probe_option(a, "dkim");
	if (r->file)
		r->keys = probe_read(r->file);
	if (slice_iprefix(r->keys, SLICE("v=DKIM1"))) {
		r->site.dkim = slice_head(r->keys, slice_find(r->keys, '\n'));
		must_be_key(r->file, r->site.dkim);
	} else if (r->file) {
		r->site.dkim.n = 0;
		for (words = r->site.domains; (word = slice_word(&words)).n;)
			keys(r->file, r->keys, word, false);
	}
	return a->n == 0;
}

/* Every record that .config asks for. */
int probe_records(struct probe_args a)
{
	struct records r = { .file = NULL };

	publish_configured(&r.site);
	if (!read_options(&r, &a))
		return probe_wrong("records takes --address, --account, --key and --dkim");
	print_all(&r);
	return 0;
}
