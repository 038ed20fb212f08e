# init/health/health.mk: asks the processes whether they still serve; holds no secret and reaches this machine alone
PROGS += health
health-y := $(addprefix init/health/,main.o health.o) $(addprefix smtpd/proto/,ipaddr.o reply.o) $(lib-core) $(lib-sock)
health-deny := br_% sodium_% crypto_% cdb_%
