# init/log/log.mk: puts names before lines; holds no secret, and reaches nobody but, with INIT_SYSLOG, one server
PROGS += log
log-y := init/log/main.o init/log/taps.o $(lib-core)
log-$(CONFIG_INIT_SYSLOG) += $(addprefix init/log/,remote.o logring.o syslogmsg.o) \
	$(addprefix smtpd/proto/,endpoint.o ipaddr.o base64.o date.o) $(lib-sock) $(lib-tls)
log-libs := bearssl sodium
log-deny := $(if $(CONFIG_INIT_SYSLOG),,br_% crypto_% stream_%) br_rsa_%_private br_ecdsa_%_sign% cdb_% reply_% path_%
