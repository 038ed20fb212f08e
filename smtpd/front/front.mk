# smtpd/front/front.mk: what is linked into the front end, and nothing else

PROGS      += front
front-y    := $(addprefix smtpd/front/,main.o front.o session.o verbs.o letter.o account.o authline.o tlsid.o crashed.o \
	      budget.o) $(addprefix smtpd/proto/,base64.o command.o dot.o envelope.o ipaddr.o path.o utf8.o) \
	      $(lib-core) smtpd/lib/rates.o $(lib-tls)
front-libs := bearssl sodium
front-deny := br_rsa_%_private br_rsa_%_sign br_ecdsa_%_sign% br_ssl_client_% br_x509_minimal_% cdb_% crypto_sign% crypto_pwhash% crypto_box% crypto_secret% crypto_auth%
