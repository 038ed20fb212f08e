# init/net/net.mk: address and routes; no cryptography, no mail
PROGS += net
net-y := $(addprefix init/net/,main.o dhcp.o lease.o plan.o rdnss.o rtnl.o ifsetup.o) smtpd/proto/ipaddr.o $(lib-core)
net-deny := br_% sodium_% crypto_% cdb_%
