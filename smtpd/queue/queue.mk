# smtpd/queue/queue.mk: keeps letters on disk: no TLS, no keys, no maps, no SMTP

PROGS += queue
# The journal stands alone: tests/power links it without the rest.
queue-journal := $(addprefix smtpd/queue/,journal.o journal_report.o plan.o recover.o ledger.o jwrite.o jrecord.o disk.o)
queue-y := $(addprefix smtpd/queue/,main.o queue.o desk.o courier.o bounce.o clerk.o sched.o account.o dest.o reason.o waybill.o parcel.o flusher.o)
queue-y += $(queue-journal)
queue-y += $(addprefix smtpd/proto/,envelope.o report.o header.o date.o path.o utf8.o ipaddr.o) $(lib-core)
queue-libs := sodium
queue-deny := br_rsa_% br_ssl_% cdb_% reply_% command_%
