# smtpd/check/check.mk: reads letters and decides; no connection of its own, no key

PROGS        += check
check-y      := $(addprefix smtpd/check/,main.o rcpt.o letter.o forward.o legs.o notice.o seen.o submit.o dsn.o trace.o alias.o rights.o quota.o stops.o judge.o verdict.o) \
		$(lib-core) smtpd/lib/map.o smtpd/lib/rates.o \
		$(addprefix smtpd/proto/,path.o utf8.o ipaddr.o envelope.o grant.o header.o dkim_canon.o dkim_sign.o srs.o base64.o date.o \
		dkim_key.o dkim_verify.o dmarc.o dnsmsg.o der.o spf.o spf_macro.o spf_record.o taglist.o)
check-libs   := bearssl sodium cdb
check-deny   := br_ssl_% br_rsa_%_private br_%_pkcs1_sign br_ecdsa_%_sign% crypto_sign_%keypair crypto_sign_detached crypto_sign_ed25519_detached srs_forward srs_reverse reply_%
