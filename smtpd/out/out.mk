# smtpd/out/out.mk: outbound SMTP: public keys only, no maps

PROGS += out
out-y := $(addprefix smtpd/out/,main.o outbound.o delivery.o peer.o smarthost.o ownaddr.o sessions.o \
	  converse.o outletter.o mxlist.o outcome.o targets.o held.o policy.o shape.o turns.o)
out-y += $(addprefix smtpd/proto/,envelope.o path.o utf8.o reply.o dot.o mxname.o ipaddr.o dnsmsg.o \
	  base64.o tlsa.o gmail.o)
out-y += $(lib-core) $(lib-sock) $(lib-tls)
out-libs := bearssl sodium
out-deny := br_rsa_%_private br_ecdsa_%_sign% cdb_%
