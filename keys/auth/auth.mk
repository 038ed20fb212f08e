# keys/auth/auth.mk: who may log in; no keys of the machine, no mail, no TLS

PROGS += auth
auth-y := $(addprefix keys/auth/,main.o login.o pending.o passhash.o scram.o throttle.o mynetworks.o hostpass.o) smtpd/lib/map.o $(lib-core)
auth-y += $(addprefix smtpd/proto/,grant.o base64.o ipaddr.o)
auth-libs := sodium cdb
auth-deny := br_% path_% dot_% reply_% cdb_make%
