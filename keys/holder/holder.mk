# keys/holder/holder.mk: private-key operations; no SMTP, no TLS engine, no maps

PROGS += holder
holder-y := $(addprefix keys/holder/,main.o keyfile.o keyrand.o product.o acctkey.o selfsign.o tlskey.o srskey.o srslong.o dkimkey.o dkimrsa.o dkimring.o dkimlife.o dkimed.o mont52.o mont64.o rsa64.o) $(lib-core)
holder-y += $(addprefix smtpd/proto/,base64.o certinfo.o date.o der.o dkim_key.o dkim_preimage.o header.o ipaddr.o path.o utf8.o srs.o taglist.o)
holder-$(CONFIG_KEYS_BACKUP) += keys/holder/backup.o
holder-libs := bearssl sodium
# Without an operator's key there is no way out for a secret.
holder-deny := br_ssl_% cdb_% path_parse path_take dot_% reply_% command_% $(if $(CONFIG_KEYS_BACKUP),,backup_% crypto_box_%)
