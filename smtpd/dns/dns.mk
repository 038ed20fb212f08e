# smtpd/dns/dns.mk: the stub resolver: no keys, no TLS, no mail

PROGS += dns
dns-y := $(addprefix smtpd/dns/,main.o resolver.o dnsask.o dnscache.o) $(lib-core)
dns-y += $(addprefix smtpd/proto/,dnsmsg.o ipaddr.o)
dns-libs :=
dns-deny := br_% cdb_% reply_% path_%
