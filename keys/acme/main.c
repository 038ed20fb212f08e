/* SPDX-License-Identifier: ISC */
#include "keys/acme/acme.h"
#include "smtpd/lib/proc.h"

int main(void)
{
	static struct proc proc; /* this and the next two: the process's context */
	static struct acme acme;
	static struct tls_anchors anchors;
	bool alpn = ON(CONFIG_KEYS_ACME_TLSALPN01), persist = ON(CONFIG_KEYS_ACME_DNSPERSIST01);

	proc_start(&proc, PROG_ACME, ACME_WATCHES);
	tls_anchors_read(&anchors, proc.grant[GRANT_PUBLIC_PEM], "public");
	acme.talk.env =
		(struct httpcall_env){ &proc.loop, proc_chan(&proc, PROG_DNS), &anchors };
	acme.talk.tls_holder = proc_chan_to(&proc, P_HOLDER_TLS);
	acme.talk.account_holder = proc_chan_to(&proc, P_HOLDER_ACME);
	acme.selfcheck = proc_chan(&proc, PROG_SELFCHECK);
	acme.talk.what = (struct talk_order){
		.rsa = ON(CONFIG_KEYS_TLS_RSA),
		.names = CONFIG_SMTPD_HOSTNAME " " CONFIG_KEYS_TLS_NAMES,
		.profile = CONFIG_KEYS_ACME_PROFILE,
		.root = CONFIG_KEYS_ACME_CHAIN,
		.proof = alpn	   ? TALK_TLSALPN01
			 : persist ? TALK_DNSPERSIST01
				   : TALK_HTTP01,
		.issuer = CONFIG_KEYS_CAA,
	};
	acme_init(&acme, CONFIG_KEYS_ACME_DIRECTORY,
		  proc.grant[alpn ? GRANT_LISTEN_443 : GRANT_LISTEN_80]);
	proc_seal(&proc);
	loop_run(&proc.loop);
}
