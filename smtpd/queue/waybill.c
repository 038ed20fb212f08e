/* SPDX-License-Identifier: ISC */
#include "smtpd/queue/waybill.h"

#include <string.h>

static struct slice domain_of(struct slice address)
{
	return slice_from(address, slice_rfind(address, '@'));
}

struct slice waybill_rcpt(struct slice head, uint32_t no)
{
	struct cur in = CUR(head);
	enum env_tag tag;
	struct slice v;

	while (envelope_next(&in, &tag, &v))
		if (tag == ENV_RCPT && !no--)
			return v;
	return (struct slice){ NULL, 0 };
}

static void add(struct waybill *w, uint32_t no, struct slice to)
{
	w->no[w->n] = no;
	if (to.n <= WAYBILL_NAMES - w->used) {
		memcpy(w->name + w->used, to.p, to.n);
		w->to[w->n] = (struct slice){ w->name + w->used, to.n };
		w->used += to.n;
	} else {
		w->to[w->n] = (struct slice){ NULL, 0 };
	}
	w->n++;
}

bool waybill_make(struct waybill *w, struct slice head, const uint32_t *want, uint32_t n,
		  uint32_t must, struct buf *out, struct slice *header)
{
	struct slice v, domain = domain_of(waybill_rcpt(head, must));
	struct cur in = CUR(head);
	uint32_t seen = 0, next = 0;
	enum env_tag tag;
	bool ours = true, found = false;

	w->n = 0;
	w->used = 0;
	while (envelope_next(&in, &tag, &v)) {
		if (tag == ENV_HEADER) {
			*header = v;
			found = true;
			break;
		}
		if (tag == ENV_RCPT) {
			while (next < n && want[next] < seen)
				next++;
			ours = next < n && want[next] == seen &&
			       slice_ieq(domain_of(v), domain);
			if (ours)
				add(w, seen, v);
			seen++;
		} else if (tag != ENV_ORIGINAL && tag != ENV_NOTIFY && tag != ENV_ORCPT) {
			ours = true; /* of the letter */
		}
		if (ours)
			envelope_put(out, tag, v);
	}
	envelope_put_header(out, (struct slice){ NULL, 0 });
	w->all = w->n == seen;
	return found && !out->bad && must < seen;
}
