# smtpd/proto/host/host.mk: the pure modules on the command line, for tests and curious users

HOSTPROGS  += probe
probe-y    := $(addprefix smtpd/proto/host/,main.o probe.o probe_dkim.o probe_dmarc.o probe_records.o probe_spf.o zone.o)
probe-y    += $(addprefix smtpd/proto/,base64.o date.o der.o dkim_canon.o dkim_key.o dkim_sign.o dkim_verify.o dmarc.o \
	      dnsmsg.o gmail.o header.o ipaddr.o path.o publish.o utf8.o reply.o spf.o spf_macro.o spf_record.o srs.o taglist.o)
probe-y    += smtpd/lib/bytes.o
probe-libs := bearssl sodium cdb
