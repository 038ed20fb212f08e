# init/log/log.mk: puts names before lines; holds no secret and reaches nobody
PROGS += log
log-y := init/log/main.o init/log/taps.o $(lib-core)
log-deny := br_% sodium_% crypto_% cdb_%
