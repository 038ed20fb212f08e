# smtpd/lib/lib.mk: what every program is made of; knows no mail

lib-core := $(addprefix smtpd/lib/,bytes.o arena.o log.o loop.o chan.o proc.o sandbox.o memfd.o)
lib-tls  := $(addprefix smtpd/lib/,tls.o tlscurve.o tlspin.o certspki.o stream.o)
lib-sock := smtpd/lib/sock.o
lib-http := $(addprefix smtpd/http/,httpcall.o httpreply.o) $(lib-sock)
