/* SPDX-License-Identifier: ISC */
#include "init/update/manifest.h"

#include <sodium.h>
#include <string.h>

static const uint8_t zero[MANIFEST_HASH];

static bool visible(uint8_t c)
{
	return c > ' ' && c < 127;
}

/* Visible ASCII, then NULs; the last octet is one. */
static bool text(struct cur *c, char out[MANIFEST_TEXT])
{
	struct slice s = cur_take(c, MANIFEST_TEXT);
	struct cur t = CUR(s);

	cur_span(&t, visible, MANIFEST_TEXT - 1);
	while (cur_try(&t, 0))
		;
	if (c->bad || !cur_done(&t))
		return false;
	memcpy(out, s.p, MANIFEST_TEXT);
	return true;
}

static bool parse(struct slice in, struct manifest *m)
{
	struct cur c = CUR(in);
	uint64_t size = 0;

	if (!slice_eq(cur_take(&c, MANIFEST_MAGIC), SLICE("tinpost update 1")) ||
	    !text(&c, m->board) || !text(&c, m->version) || !text(&c, m->build))
		return false;
	m->epoch = cur_be32(&c);
	m->size = cur_be32(&c);
	memcpy(m->challenge, cur_take(&c, MANIFEST_CHALLENGE).p, MANIFEST_CHALLENGE);
	memcpy(m->hash, cur_take(&c, sizeof m->hash).p, sizeof m->hash);
	for (unsigned i = 0; i < MANIFEST_CHUNKS; i++)
		size += manifest_is_zero(m, i) ? 0 : MANIFEST_CHUNK;
	return size == m->size;
}

static bool signed_by(struct slice in, const uint8_t key[MANIFEST_KEY])
{
	return memcmp(key, zero, MANIFEST_KEY) != 0 &&
	       crypto_sign_verify_detached(in.p + MANIFEST_SIGNED, in.p, MANIFEST_SIGNED,
					   key) == 0;
}

const char *manifest_check(struct slice in, const struct manifest_want *w, struct manifest *out)
{
	struct manifest m;

	if (in.n != MANIFEST_SIZE || (!signed_by(in, w->key[0]) && !signed_by(in, w->key[1])))
		return "not signed by a key of this machine's";
	if (!parse(in, &m))
		return "another version's manifest";
	if (memcmp(m.challenge, w->challenge, sizeof m.challenge) != 0)
		return "answers another challenge";
	if (strcmp(m.board, w->board) != 0)
		return "for another board";
	if (m.epoch < w->epoch)
		return "of a lower security epoch";
	*out = m;
	return NULL;
}

bool manifest_is_zero(const struct manifest *m, unsigned chunk)
{
	return memcmp(m->hash[chunk], zero, MANIFEST_HASH) == 0;
}

bool manifest_chunk_is(const struct manifest *m, unsigned chunk, const uint8_t *octets)
{
	uint8_t hash[MANIFEST_HASH];

	if (manifest_is_zero(m, chunk))
		return sodium_is_zero(octets, MANIFEST_CHUNK);
	crypto_generichash(hash, sizeof hash, octets, MANIFEST_CHUNK, NULL, 0);
	return memcmp(hash, m->hash[chunk], sizeof hash) == 0;
}

void manifest_add(struct manifest *m, unsigned chunk, const uint8_t *octets)
{
	memset(m->hash[chunk], 0, MANIFEST_HASH);
	if (sodium_is_zero(octets, MANIFEST_CHUNK))
		return;
	crypto_generichash(m->hash[chunk], MANIFEST_HASH, octets, MANIFEST_CHUNK, NULL, 0);
	m->size += MANIFEST_CHUNK;
}

void manifest_put(struct buf *out, const struct manifest *m, const uint8_t seed[MANIFEST_KEY])
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
	uint8_t signature[MANIFEST_SIGNATURE];

	out->len = 0;
	buf_put(out, SLICE("tinpost update 1"));
	buf_put(out, (struct slice){ (const uint8_t *)m->board, MANIFEST_TEXT });
	buf_put(out, (struct slice){ (const uint8_t *)m->version, MANIFEST_TEXT });
	buf_put(out, (struct slice){ (const uint8_t *)m->build, MANIFEST_TEXT });
	buf_be32(out, m->epoch);
	buf_be32(out, m->size);
	buf_put(out, (struct slice){ m->challenge, MANIFEST_CHALLENGE });
	buf_put(out, (struct slice){ m->hash[0], sizeof m->hash });
	crypto_sign_seed_keypair(pk, sk, seed);
	crypto_sign_detached(signature, NULL, out->p, out->len, sk);
	sodium_memzero(sk, sizeof sk);
	buf_put(out, (struct slice){ signature, sizeof signature });
}
