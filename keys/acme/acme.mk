# keys/acme/acme.mk: certificates; a TLS client, no private key, no mail, no maps

acme-progs-$(CONFIG_KEYS_ACME) := acme
PROGS += $(acme-progs-y)
acme-y := $(addprefix keys/acme/,main.o acme.o talk.o door.o persist.o acmedoc.o orderfile.o json.o) keys/holder/keyfile.o
acme-y += $(addprefix smtpd/proto/,base64.o certinfo.o date.o der.o dnsmsg.o)
acme-y += smtpd/http/url.o $(lib-http) $(lib-core) $(lib-tls)
acme-libs := bearssl sodium http_parser jsmn
acme-deny := br_rsa_%_private br_ecdsa_%_sign% cdb_% reply_% path_% envelope_%
