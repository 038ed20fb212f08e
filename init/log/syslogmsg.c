/* SPDX-License-Identifier: ISC */
#include "init/log/syslogmsg.h"

#include "smtpd/lib/log.h"
#include "smtpd/proto/date.h"

/* RFC 5424 6. */
enum { HOSTNAME = 255, APP_NAME = 48, MSGID = 32, MAIL = 2 << 3 };

enum severity { ALERT = 1, CRITICAL, ERROR, WARNING, NOTICE, INFORMATIONAL };

static const struct {
	const char *event;
	enum severity severity;
} severities[] = {
	{ "alarm", ALERT },	     { "bug", CRITICAL },	 { "damage", CRITICAL },
	{ "flushfailed", CRITICAL }, { "died", ERROR },		 { "unhealthy", ERROR },
	{ "accused", ERROR },	     { "nodata", ERROR },	 { "failed", NOTICE },
	{ "dropped", WARNING },	     { "nodns", NOTICE },	 { "ready", NOTICE },
	{ "stop", NOTICE },	     { "reportfailed", NOTICE },
};

static enum severity severity_of(struct slice event)
{
	for (size_t i = 0; i < sizeof severities / sizeof *severities; i++)
		if (slice_eq(event, slice_of(severities[i].event)))
			return severities[i].severity;
	return INFORMATIONAL;
}

/* A field of the header is without spaces, and never empty. */
static void put_field(struct buf *b, struct slice s, size_t max)
{
	s = slice_head(s, max);
	if (!s.n)
		buf_u8(b, '-');
	for (size_t i = 0; i < s.n; i++)
		buf_u8(b, s.p[i] <= ' ' || s.p[i] > '~' ? '?' : s.p[i]);
	buf_u8(b, ' ');
}

static void put_time(struct buf *b, const struct syslogmsg *m)
{
	struct date d;

	if (!date_split(m->s, &d)) {
		buf_put(b, SLICE("- "));
		return;
	}
	buf_dec_pad(b, (uint64_t)d.year, 4);
	buf_u8(b, '-');
	buf_dec_pad(b, d.month, 2);
	buf_u8(b, '-');
	buf_dec_pad(b, d.day, 2);
	buf_u8(b, 'T');
	buf_dec_pad(b, d.hour, 2);
	buf_u8(b, ':');
	buf_dec_pad(b, d.minute, 2);
	buf_u8(b, ':');
	buf_dec_pad(b, d.second, 2);
	buf_u8(b, '.');
	buf_dec_pad(b, m->ms % 1000, 3);
	buf_put(b, SLICE("Z "));
}

void syslogmsg_put(const struct syslogmsg *m, struct buf *out)
{
	struct slice line = slice_head(m->line, LOG_LINE), event = { NULL, 0 };

	if (slice_iprefix(line, SLICE("ev=")))
		event = slice_from(line, 3);
	event = slice_head(event, slice_find(event, ' '));
	buf_u8(out, '<');
	buf_dec(out, MAIL | (unsigned)severity_of(event));
	buf_put(out, SLICE(">1 "));
	put_time(out, m);
	put_field(out, m->host, HOSTNAME);
	put_field(out, m->name, APP_NAME);
	buf_put(out, SLICE("- "));
	put_field(out, event, MSGID);
	buf_u8(out, '-');
	if (line.n)
		buf_u8(out, ' ');
	for (size_t i = 0; i < line.n; i++)
		buf_u8(out, line.p[i] < ' ' || line.p[i] > '~' ? '?' : line.p[i]);
}
