# init/clock/clock.mk: wall time by SNTP
PROGS += clock
clock-y := $(addprefix init/clock/,main.o saved.o sntp.o timesync.o vote.o) smtpd/proto/ipaddr.o $(lib-core)
clock-deny := br_% sodium_% crypto_% cdb_%
