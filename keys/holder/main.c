/* SPDX-License-Identifier: ISC */
#include <time.h>
#include <unistd.h>

#include "keys/holder/acctkey.h"
#include "keys/holder/backup.h"
#include "keys/holder/dkimkey.h"
#include "keys/holder/dkimlife.h"
#include "keys/holder/srskey.h"
#include "keys/holder/tlskey.h"
#include "smtpd/lib/owner.h"
#include "smtpd/lib/proc.h"

struct holder { /* the process's context: one kind of key */
	struct proc proc;
	struct watch backup; /* KEYS_BACKUP: due once, when everything else runs */
	union {
		struct tlskey tls;
		struct srskey srs;
		struct dkimkey dkim;
		struct acctkey account;
		struct dkimlife life;
	} u;
};

static _Noreturn void on_stop(struct proc *p)
{
	struct holder *h = (struct holder *)(void *)p; /* first member */

	if (p->me == P_HOLDER_TLS || p->me == P_KEYGEN_TLS)
		tlskey_wipe(&h->u.tls);
	else if (p->me == P_HOLDER_SRS)
		srskey_wipe(&h->u.srs);
	else if (p->me == P_HOLDER_ACME)
		acctkey_wipe(&h->u.account);
	else if (p->me == P_KEYGEN)
		dkimlife_wipe(&h->u.life);
	else
		dkimkey_wipe(&h->u.dkim);
	_exit(0);
}

static struct slice srs_domain(void)
{
	struct slice words = slice_of(CONFIG_SMTPD_DOMAINS),
		     own = slice_of(CONFIG_FORWARD_SRS_DOMAIN);

	return own.n ? own : slice_word(&words);
}

/* What the certificate is for. */
static struct slice tls_names(void)
{
	return slice_trim(slice_of(CONFIG_SMTPD_HOSTNAME " " CONFIG_KEYS_TLS_NAMES));
}

/* Nothing more is read from it. */
static void shut(struct proc *p, enum grant_kind what)
{
	if (p->grant[what] >= 0)
		close(p->grant[what]);
	p->grant[what] = -1;
}

static int64_t now(void)
{
	return time(NULL);
}

/* Which keys sign, and so are made: an imported one is there already. */
static const bool rsa = ON(CONFIG_KEYS_DKIM_RSA),
		  ed25519 = ON(CONFIG_KEYS_DKIM_ED25519) || ON(CONFIG_KEYS_DKIM_SECOND);

/* Numbers of secrets in a backup; from DKIM on two for each mail domain, RSA and Ed25519. */
enum {
	NO_TLS = 1,
	NO_SRS,
	NO_ACCOUNT,
	NO_TLS_RSA = NO_ACCOUNT + ON(CONFIG_KEYS_ACME),
	NO_DKIM = NO_TLS_RSA + ON(CONFIG_KEYS_TLS_RSA),
	BACKUP_MS = 2000
};

static void back_up(const struct holder *h, enum keyfile_kind kind, const char *name,
		    unsigned number)
{
	static const uint8_t to[] = BACKUP_PUBKEY;
	struct backup b = { to, h->proc.grant[GRANT_BACKUP], NO_DKIM - 1 };
	struct slice words = slice_of(CONFIG_SMTPD_DOMAINS);

	while (slice_word(&words).n)
		b.secrets += 2;
	if (ON(CONFIG_KEYS_BACKUP))
		backup_put(&b, kind, name, number);
}

static void back_up_ring(const struct holder *h, struct slice domain, bool ed)
{
	struct slice words = slice_of(CONFIG_SMTPD_DOMAINS);
	unsigned number = NO_DKIM + ed;
	char name[BACKUP_NAME];

	while (!slice_eq(slice_word(&words), domain))
		number += 2;
	if (slice_cstr(domain, name, sizeof name))
		back_up(h, ed ? KEYFILE_ED25519 : KEYFILE_DKIM, name, number);
}

static void on_kept(const struct dkimlife *l)
{
	back_up_ring(OWNER(const struct holder, u.life, l), l->domain, l->at_ed);
}

/* Of keygen the rings that another choice left behind: dkimlife tells of its own. */
static void on_backup(struct watch *w, short got)
{
	struct holder *h = OWNER(struct holder, backup, w);
	const struct dkimlife *l = &h->u.life;
	struct slice words = slice_of(CONFIG_SMTPD_DOMAINS), domain;

	(void)got;
	w->due = LOOP_NEVER;
	if (h->proc.me == P_HOLDER_TLS)
		back_up(h, KEYFILE_TLS, "key", NO_TLS);
	else if (h->proc.me == P_HOLDER_SRS)
		back_up(h, KEYFILE_SRS, "key", NO_SRS);
	else if (h->proc.me == P_HOLDER_ACME)
		back_up(h, KEYFILE_ACCOUNT, "key", NO_ACCOUNT);
	while (h->proc.me == P_KEYGEN && (domain = slice_word(&words)).n)
		for (int ed = 0; ed < 2; ed++)
			if (ed ? !l->ed25519 : !l->rsa || l->imported)
				back_up_ring(h, domain, ed);
}

/* The one-shot: due at once. */
static void on_keygen_tls(struct watch *w, short got)
{
	struct holder *h = OWNER(struct holder, backup, w);

	(void)got;
	tlskey_make_rsa(&h->u.tls);
	back_up(h, KEYFILE_TLS_RSA, "key", NO_TLS_RSA);
	on_stop(&h->proc);
}

static void start_keygen(struct holder *h)
{
	h->u.life = (struct dkimlife){
		.loop = &h->proc.loop,
		.dns = proc_chan(&h->proc, PROG_DNS),
		.now = now,
		.domains = slice_of(CONFIG_SMTPD_DOMAINS),
		.selector = slice_of(CONFIG_KEYS_DKIM_SELECTOR),
		.rsa = rsa,
		.ed25519 = ed25519,
		.imported = sizeof CONFIG_KEYS_DKIM_FILE > 1,
		.retired = ON(CONFIG_KEYS_DKIM_TELL_RETIRED),
		.bits = CONFIG_KEYS_DKIM_BITS,
		.days = CONFIG_KEYS_DKIM_DAYS,
		.kept = ON(CONFIG_KEYS_BACKUP) ? on_kept : NULL,
	};
	dkimlife_init(&h->u.life);
}

static void start(struct holder *h)
{
	const struct rule *rules = dkimkey_rules;

	if (h->proc.me == P_HOLDER_TLS) {
		if (!tlskey_import(&h->u.tls, h->proc.grant[GRANT_TLS_KEY])) {
			h->u.tls.wants_rsa = ON(CONFIG_KEYS_TLS_RSA);
			tlskey_init(&h->u.tls, tls_names(), BUILD_TIME, ON(CONFIG_KEYS_ACME));
		}
		shut(&h->proc, GRANT_TLS_KEY);
		rules = tlskey_rules;
	} else if (h->proc.me == P_HOLDER_SRS) {
		srskey_init(&h->u.srs, srs_domain(), CONFIG_FORWARD_SRS_SECRET);
		rules = srskey_rules;
	} else if (h->proc.me == P_HOLDER_ACME) {
		acctkey_init(&h->u.account, h->proc.grant[GRANT_BINDING]);
		rules = acctkey_rules;
	} else {
		h->u.dkim = (struct dkimkey){ .rsa = rsa,
					      .ed25519 = ed25519,
					      .loop = &h->proc.loop,
					      .selector = slice_of(CONFIG_KEYS_DKIM_SELECTOR) };
		dkimkey_init(&h->u.dkim, slice_of(CONFIG_SMTPD_DOMAINS),
			     h->proc.grant[GRANT_DKIM_KEY]);
		shut(&h->proc, GRANT_DKIM_KEY);
	}
	proc_serve(&h->proc, rules, HOLDER_TYPES, &h->u);
}

int main(void)
{
	static struct holder h;

	proc_start(&h.proc, PROG_HOLDER, 3);
	h.proc.stop = on_stop;
	h.backup = (struct watch){ .fd = -1,
				   .due = ON(CONFIG_KEYS_BACKUP) ? h.proc.loop.now + BACKUP_MS
								 : LOOP_NEVER,
				   .ready = on_backup };
	if (h.proc.me == P_KEYGEN)
		start_keygen(&h);
	else if (h.proc.me == P_KEYGEN_TLS)
		h.backup.due = h.proc.loop.now, h.backup.ready = on_keygen_tls;
	else
		start(&h);
	loop_add(&h.proc.loop, &h.backup);
	proc_seal(&h.proc);
	loop_run(&h.proc.loop);
}
