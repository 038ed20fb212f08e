/* SPDX-License-Identifier: ISC */
#include "keys/holder/backup.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/proto/base64.h"

_Static_assert(BACKUP_SEALED - BACKUP_PLAIN == crypto_box_SEALBYTES, "room for a sealed box");

static void tell(const struct backup *b, unsigned number, struct slice label, struct slice text,
		 struct buf *out)
{
	uint8_t mem[BACKUP_TO * 2];
	struct buf to = BUF(mem);
	struct logline l;
	size_t at = 0;

	base64_put(&to, (struct slice){ b->to, BACKUP_TO });
	do {
		log_begin(&l, "backup");
		log_num(&l, "v", BACKUP_VERSION);
		log_bytes(&l, "to", buf_slice(&to));
		log_num(&l, "secret", number);
		log_num(&l, "secrets", b->secrets);
		log_bytes(&l, "name", label);
		log_num(&l, "at", (int64_t)at);
		log_num(&l, "of", (int64_t)text.n);
		log_bytes(&l, "text", slice_head(slice_from(text, at), BACKUP_PIECE));
		log_send(&l);
		buf_put(out, buf_slice(&l.b));
		buf_u8(out, '\n');
		at += BACKUP_PIECE;
	} while (at < text.n);
}

/* A slot is written whole: a shorter secret leaves nothing of a longer one. Slots of a build with more of them go. */
static bool keep(const struct backup *b, unsigned number, struct buf *lines)
{
	while (!lines->bad && buf_room(lines))
		buf_u8(lines, '\n');
	return !lines->bad && ftruncate(b->file, (off_t)b->secrets * BACKUP_SLOT) == 0 &&
	       lseek(b->file, (off_t)(number - 1) * BACKUP_SLOT, SEEK_SET) >= 0 &&
	       write(b->file, lines->p, lines->len) == (ssize_t)lines->len &&
	       fdatasync(b->file) == 0;
}

void backup_put(const struct backup *b, enum keyfile_kind kind, const char *name,
		unsigned number)
{
	uint8_t plain[BACKUP_PLAIN], sealed[BACKUP_SEALED], text[BACKUP_TEXT],
		lines[BACKUP_SLOT], label[BACKUP_NAME + 16];
	struct buf p = BUF(plain), t = BUF(text), out = BUF(lines), l = BUF(label);
	enum keyfile_state state;

	buf_put(&p, slice_of(name));
	buf_u8(&p, 0);
	state = keyfile_load_file(kind, name, &p);
	if (state == KEYFILE_WHOLE && !p.bad &&
	    crypto_box_seal(sealed, plain, p.len, b->to) == 0)
		base64_put(&t, (struct slice){ sealed, p.len + crypto_box_SEALBYTES });
	sodium_memzero(plain, sizeof plain);
	if (state != KEYFILE_NEW && !t.len)
		return;
	buf_put(&l, slice_of(keyfile_folder(kind)));
	buf_u8(&l, '/');
	buf_put(&l, slice_of(name));
	tell(b, number, buf_slice(&l), buf_slice(&t), &out);
	if (!keep(b, number, &out))
		log_event("backup", "unwritten", "data");
}
