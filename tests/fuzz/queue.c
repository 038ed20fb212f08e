/* SPDX-License-Identifier: ISC */
/* The receiver of QUEUE_LETTER: any message with any head. What it lets pass has the shape that
 * everything behind it relies on. */
#include "smtpd/queue/queue.h"

#include <stdlib.h>
#include <string.h>

#include "smtpd/lib/memfd.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t scratch[ENV_HEAD_MAX];
	struct queue_letter m = { .h.type = QUEUE_LETTER };
	struct slice head = { p, n }, v;
	struct jr_letter l;
	int text = memfd_make("text"), fd = memfd_make("head");
	size_t nrcpt;

	if (n >= 4) {
		m.text_size = p[0] % 4 ? p[1] : p[1] + 1u;
		m.skip = p[2];
		head = slice_from(head, 4);
		if (!memfd_append(text, 0, (struct slice){ scratch, p[1] }) ||
		    !memfd_append(fd, 0, head) || (p[3] % 8 && !memfd_seal(text)) ||
		    !memfd_seal(fd))
			abort();
		if (queue_check(&m, text, fd, scratch, &l) == QUEUE_GOOD &&
		    (l.text_size != p[1] || l.skip > l.text_size || l.head_size != head.n ||
		     !envelope_check(head, &nrcpt) || l.nrcpt != nrcpt || !p[3] ||
		     envelope_get(head, ENV_GRANT, &v)))
			abort();
	}
	memfd_close(&text);
	memfd_close(&fd);
	return 0;
}
