# init/update/host/host.mk: the operator's tool for updates

HOSTPROGS += tinpost-update
tinpost-update-y := init/update/host/main.o init/update/manifest.o keys/holder/host/pairfile.o keys/auth/host/sourcefile.o
tinpost-update-y += smtpd/lib/bytes.o smtpd/lib/log.o smtpd/proto/base64.o
tinpost-update-libs := sodium cdb
