# smtpd/admin/admin.mk: the operator's hands on the queue: no letter, no key, no parser of mail
admin-progs-$(CONFIG_ADMIN_CONSOLE) := admin
PROGS += $(admin-progs-y)
admin-y := $(addprefix smtpd/admin/,main.o admin.o screen.o word.o) $(lib-core)
admin-libs :=
admin-deny := br_% sodium_% crypto_% cdb_% envelope_% path_% reply_%
