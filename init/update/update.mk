# init/update/update.mk: a new system for the other slot; no key, no letter, no map

update-progs-$(CONFIG_UPDATE_SERVICE) := update
PROGS += $(update-progs-y)
update-y := $(addprefix init/update/,main.o update.o receive.o slots.o manifest.o) smtpd/front/tlsid.o $(lib-core) $(lib-tls)
update-libs := bearssl sodium
update-deny := br_rsa_%_private br_ecdsa_%_sign% br_ssl_client_% cdb_% crypto_sign_seed% crypto_sign_detached% crypto_sign_keypair% envelope_% path_% reply_%
