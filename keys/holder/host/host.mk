# keys/holder/host/host.mk: the operator's tool for backups of keys

HOSTPROGS += tinpost-keys
tinpost-keys-y := $(addprefix keys/holder/host/,main.o pairfile.o restore.o) keys/holder/keyfile.o keys/auth/host/sourcefile.o
tinpost-keys-y += smtpd/lib/bytes.o smtpd/lib/log.o smtpd/proto/base64.o
tinpost-keys-libs := sodium cdb
