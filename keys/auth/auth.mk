# keys/auth/auth.mk: who may log in; no keys of the machine, no mail, no TLS

PROGS += auth
auth-y := $(addprefix keys/auth/,main.o login.o pending.o passhash.o scram.o throttle.o mynetworks.o hostpass.o) smtpd/lib/map.o $(lib-core)
auth-y += $(addprefix smtpd/proto/,grant.o base64.o ipaddr.o)
auth-$(CONFIG_AUTH_LEGACY_CRAM_MD5) += keys/auth/cram.o
auth-libs := sodium cdb $(if $(CONFIG_AUTH_LEGACY_CRAM_MD5),bearssl)
auth-deny := $(if $(CONFIG_AUTH_LEGACY_CRAM_MD5),$(addprefix br_,ssl_% x509_% rsa_% ec_% ecdsa_% aes_%),br_%) path_% dot_% reply_% cdb_make%
