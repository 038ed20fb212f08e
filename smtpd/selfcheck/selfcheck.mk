# smtpd/selfcheck/selfcheck.mk: compares records with what this machine needs: no keys, no letters, no maps, no TLS

PROGS += selfcheck
selfcheck-y := $(addprefix smtpd/selfcheck/,main.o selfcheck.o rowcheck.o)
selfcheck-y += $(addprefix smtpd/proto/,base64.o der.o dkim_key.o dmarc.o dnsmsg.o header.o ipaddr.o mxname.o path.o publish.o \
	       spf.o spf_macro.o spf_record.o sts.o taglist.o utf8.o)
selfcheck-y += $(lib-core) $(lib-sock)
selfcheck-libs :=
selfcheck-deny := br_% crypto_% cdb_% envelope_% dkim_sign_%
