# smtpd/dns/dns.mk: the stub resolver: public keys only, no mail

PROGS += dns
dns-y := $(addprefix smtpd/dns/,main.o resolver.o dnsask.o dnscache.o dotlink.o) $(lib-core) $(lib-sock) $(lib-tls)
dns-y += $(addprefix smtpd/proto/,dnsmsg.o endpoint.o ipaddr.o base64.o)
dns-libs := bearssl sodium
dns-deny := br_rsa_%_private br_ecdsa_%_sign% cdb_% reply_% path_%
