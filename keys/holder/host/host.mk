# keys/holder/host/host.mk: the operator's tool for backups of keys

HOSTPROGS += tinpost-keys
tinpost-keys-y := keys/holder/host/main.o keys/holder/host/restore.o keys/holder/keyfile.o keys/auth/host/sourcefile.o
tinpost-keys-y += smtpd/lib/bytes.o smtpd/lib/log.o smtpd/proto/base64.o
tinpost-keys-libs := sodium cdb
