/* SPDX-License-Identifier: ISC */
#include "keys/holder/dkimring.h"

#include <string.h>

enum { NAME = 256 };

static enum keyfile_kind kind(bool ed25519)
{
	return ed25519 ? KEYFILE_ED25519 : KEYFILE_DKIM;
}

bool dkimring_parse(struct slice content, struct dkimring *r)
{
	struct cur c = CUR(content);
	uint32_t above = 0;
	unsigned least = 0;

	memset(r, 0, sizeof *r);
	while (c.s.n) {
		unsigned role = cur_u8(&c);
		struct dkimring_key k = { .number = cur_be32(&c) };
		struct slice secret;

		k.at = (int64_t)cur_be64(&c);
		k.n = cur_be16(&c);
		secret = cur_take(&c, k.n);
		if (c.bad || role < least || role >= DKIMRING_ROLES || k.number <= above ||
		    !k.n || k.n > sizeof k.secret)
			return false;
		memcpy(k.secret, secret.p, secret.n);
		above = k.number;
		least = role + 1;
		r->key[role] = k;
		explicit_bzero(&k, sizeof k);
	}
	return r->key[DKIMRING_NOW].number != 0;
}

void dkimring_put(const struct dkimring *r, struct buf *out)
{
	for (unsigned i = 0; i < DKIMRING_ROLES; i++) {
		const struct dkimring_key *k = &r->key[i];

		if (!k->number)
			continue;
		buf_u8(out, (uint8_t)i);
		buf_be32(out, k->number);
		buf_be64(out, (uint64_t)k->at);
		buf_be16(out, k->n);
		buf_put(out, (struct slice){ k->secret, k->n });
	}
}

/* The key of an older build. */
static enum keyfile_state load_older(bool ed25519, struct dkimring *r)
{
	struct dkimring_key *k = &r->key[DKIMRING_NOW];
	struct buf b = BUF(k->secret);
	enum keyfile_state state;

	memset(r, 0, sizeof *r);
	state = keyfile_load(kind(ed25519), false, &b);
	if (state == KEYFILE_WHOLE && b.bad)
		return KEYFILE_DAMAGED;
	k->number = state == KEYFILE_WHOLE;
	k->n = (uint16_t)b.len;
	return state;
}

enum keyfile_state dkimring_load(bool ed25519, struct slice domain, bool mend,
				 struct dkimring *r)
{
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);
	char name[NAME];
	enum keyfile_state state;

	if (!slice_cstr(domain, name, sizeof name))
		return KEYFILE_NOWHERE;
	state = keyfile_load_as(kind(ed25519), name, mend, &b);
	if (state == KEYFILE_NEW)
		state = load_older(ed25519, r);
	else if (state == KEYFILE_WHOLE && !dkimring_parse(buf_slice(&b), r))
		state = KEYFILE_DAMAGED;
	explicit_bzero(mem, sizeof mem);
	return state;
}

bool dkimring_there(bool ed25519, struct slice domain)
{
	char name[NAME];

	return slice_cstr(domain, name, sizeof name) &&
	       (keyfile_there(kind(ed25519), name) || keyfile_there(kind(ed25519), "key"));
}

bool dkimring_save(bool ed25519, struct slice domain, const struct dkimring *r)
{
	uint8_t mem[KEYFILE_MAX];
	struct buf b = BUF(mem);
	char name[NAME];
	bool ok;

	dkimring_put(r, &b);
	ok = !b.bad && slice_cstr(domain, name, sizeof name) &&
	     keyfile_save_as(kind(ed25519), name, buf_slice(&b));
	explicit_bzero(mem, sizeof mem);
	return ok;
}
