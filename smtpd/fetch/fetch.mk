# smtpd/fetch/fetch.mk: files over HTTPS: public keys only, no mail, no maps

PROGS += fetch
fetch-y := $(addprefix smtpd/fetch/,main.o fetch.o stscache.o) $(lib-http)
fetch-y += $(addprefix smtpd/proto/,sts.o dnsmsg.o)
fetch-y += $(lib-core) $(lib-tls)
fetch-libs := bearssl sodium http_parser
fetch-deny := br_rsa_%_private br_ecdsa_%_sign% cdb_% reply_% path_% envelope_%
