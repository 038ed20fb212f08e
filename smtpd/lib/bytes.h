/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_BYTES_H
#define SMTPD_LIB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes carry their length. Three small types serve all parsing and printing:
 * slice (borrowed bytes), buf (bounded output, sticky `bad`), cur (read cursor, sticky `bad`).
 */

struct slice { /* borrowed; never owns, may contain NUL */
	const uint8_t *p;
	size_t n;
};

#define SLICE(lit) ((struct slice){ (const uint8_t *)("" lit), sizeof(lit) - 1 })

#define SLICE_HASH 14695981039346656037u

struct slice slice_of(const char *z);		      /* NUL-terminated string; z may be NULL */
bool slice_eq(struct slice a, struct slice b);	      /* octet for octet */
bool slice_ieq(struct slice a, struct slice b);	      /* ASCII case folded */
bool slice_iprefix(struct slice s, struct slice pre); /* s begins with pre, ASCII case folded */
bool slice_iends(struct slice s, struct slice end);   /* s ends with end, ASCII case folded */
struct slice slice_from(struct slice s, size_t at);   /* the rest; empty when at >= n */
struct slice slice_head(struct slice s, size_t n);    /* the first n octets, or all */
struct slice slice_trim(struct slice s);	      /* without SP and TAB at both ends */
/* Index of the first/last c, or s.n when there is none. */
size_t slice_find(struct slice s, uint8_t c);
size_t slice_rfind(struct slice s, uint8_t c);
/* Cuts the next word (up to SP) off *rest; empty slice at the end. */
struct slice slice_word(struct slice *rest);
/* Copies to a C string at the system-call border. False: NUL inside, or no room. */
bool slice_cstr(struct slice s, char *out, size_t cap);
/* Decimal, digits only, at most max. */
bool slice_u64(struct slice s, uint64_t max, uint64_t *out);
/* FNV-1a of s in ASCII lower case, going on from h, which is SLICE_HASH at first. Two texts with one number are found
 * by whoever wants them: not where he gains by it. */
uint64_t slice_hash(uint64_t h, struct slice s);
/* Equal length and content, in time that depends on the length alone. */
bool slice_eq_ct(struct slice a, struct slice b);

uint8_t byte_lower(uint8_t c); /* ASCII only, no locale */
bool byte_alpha(uint8_t c);
bool byte_digit(uint8_t c);

struct buf { /* owner reserved p[cap] elsewhere */
	uint8_t *p;
	size_t cap, len;
	bool bad; /* sticky: something did not fit; truncation is never a result */
};

#define BUF(array) ((struct buf){ .p = (array), .cap = sizeof(array) })

void buf_put(struct buf *b, struct slice s);
void buf_u8(struct buf *b, uint8_t c);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
void buf_dec(struct buf *b, uint64_t v);		     /* decimal */
void buf_dec_pad(struct buf *b, uint64_t v, unsigned width); /* decimal, zero filled */
void buf_hex(struct buf *b, struct slice s);		     /* lower case */
void buf_dots(struct buf *b, const uint8_t n[3]);	     /* decimal, as 4.7.28 */
void buf_visible(struct buf *b,
		 struct slice s);	       /* printable ASCII; '?' for every other octet */
void buf_lower(struct buf *b, struct slice s); /* ASCII folded */
void buf_eat(struct buf *b, size_t n);	       /* drops the first n octets */
struct slice buf_slice(const struct buf *b);   /* what was put so far */
size_t buf_room(const struct buf *b);

struct cur { /* read cursor over borrowed bytes */
	struct slice s;
	bool bad; /* sticky: the input is not what was asked for */
};

#define CUR(slice) ((struct cur){ .s = (slice) })

void cur_lit(struct cur *c, uint8_t lit);	/* exactly this octet */
void cur_word(struct cur *c, struct slice lit); /* exactly these, ASCII case folded */
bool cur_try(struct cur *c, uint8_t lit);	/* this octet if it is next */
bool cur_at(const struct cur *c, uint8_t lit);	/* is it next? */
uint8_t cur_u8(struct cur *c);			/* 0 and bad at the end */
uint16_t cur_be16(struct cur *c);
uint32_t cur_be32(struct cur *c);
uint64_t cur_be64(struct cur *c);
struct slice cur_take(struct cur *c, size_t n);
/* 1 to max octets of a class; bad when there is none or more than max follow. */
struct slice cur_span(struct cur *c, bool (*is)(uint8_t), size_t max);
/* 0 or more octets of a class. */
struct slice cur_skip(struct cur *c, bool (*is)(uint8_t));
bool cur_end(const struct cur *c);  /* nothing left (or bad) */
bool cur_done(const struct cur *c); /* no error and no rest */

#endif
