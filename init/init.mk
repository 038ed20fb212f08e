# init/init.mk: PID 1, nothing but libc
PROGS += init
init-y := $(addprefix init/,main.o boot.o say.o tables.o mounts.o volume.o seed.o grants.o wire.o spawn.o \
	supervise.o power.o)
init-deny := br_% sodium_% crypto_% cdb_%
