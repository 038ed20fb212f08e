/* SPDX-License-Identifier: ISC */
#include "keys/holder/mont64.h"

#include <string.h>
#if defined(__x86_64__)
#	include <cpuid.h>
#	include <immintrin.h>
#endif

/* Fourteen registers: gcc finds them also with the sanitizers, clang does not. */
#if defined(__x86_64__) && defined(__SIZEOF_INT128__) && !defined(__clang__)
#	define HAS_ADX_CODE 1
#else
#	define HAS_ADX_CODE 0
#endif

/*
 * NOTES
 * Numbers are handled in rows: eight words b of one factor times all n words of the other, added to t:
 *	t[0 .. n+7] += a[0 .. n-1] * b[0 .. 7], and `carry`, the row before's, at t[n]; what leaves t[n+7] is returned.
 * The next row starts at t + 8, so a carry has the weight of that row's t[n].
 * reduce chooses b itself, word by word, so that t[0 .. 7] become zero: b is the quotient q.
 * A value is secret from the first word to the last: no branch and no index depends on one.
 */
static inline uint64_t add_carry(uint64_t a, uint64_t b, unsigned char *carry)
{
#if defined(__x86_64__)
	unsigned long long sum;

	*carry = _addcarry_u64(*carry, a, b, &sum);
	return sum;
#else
	uint64_t x = a + b, y = x + *carry;

	*carry = (unsigned char)((x < a) | (y < x));
	return y;
#endif
}

#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 wide;

static const struct mont64_kernel portable_kernel;

static uint64_t portable_line(uint64_t *t, const uint64_t *a, uint64_t b, size_t n,
			      uint64_t carry)
{
	unsigned char out = (unsigned char)carry;
	uint64_t c = 0;

	for (size_t j = 0; j < n; j++) {
		wide x = (wide)a[j] * b + t[j] + c;

		t[j] = (uint64_t)x;
		c = (uint64_t)(x >> 64);
	}
	t[n] = add_carry(t[n], c, &out);
	return out;
}

static uint64_t portable_mul(uint64_t *t, const uint64_t *a, const uint64_t *b, size_t n,
			     uint64_t carry)
{
	for (size_t i = 0; i < MONT64_BLOCK; i++)
		carry = portable_line(t + i, a, b[i], n, carry);
	return carry;
}

static uint64_t portable_reduce(uint64_t *t, const uint64_t *m, uint64_t *q, size_t n,
				uint64_t m0, uint64_t carry)
{
	for (size_t i = 0; i < MONT64_BLOCK; i++)
		carry = portable_line(t + i, m, q[i] = t[i] * m0, n, carry);
	return carry;
}

static void portable_square(uint64_t *t, const uint64_t *a, size_t n)
{
	mont64_product(&portable_kernel, t, a, a, n);
}

static const struct mont64_kernel portable_kernel = { portable_mul, portable_reduce,
						      portable_square };

#	if HAS_ADX_CODE
/* x[into] += low, x[into + 1] += high of a[at / 8] * rdx, on two chains of carries. */
#		define STEP(at, into, next)                      \
			"mulx " #at "(%[a]), %[low], %[high]\n\t" \
			"adcx %[low], %[" #into "]\n\t"           \
			"adox %[high], %[" #next "]\n\t"

/* (x0 .. x7) += a[0 .. 7] * b; the lowest word is complete and goes to *to, and x0 is the new top. */
#		define LINE(b, to, x0, x1, x2, x3, x4, x5, x6, x7)                            \
			__asm__("xorl %k[low], %k[low]\n\t" STEP(                              \
					0, w0,                                                 \
					w1) "movq %[w0], %[d]\n\t"                             \
					    "movl $0, %k[w0]\n\t" STEP(8, w1, w2) STEP(        \
						    16, w2, w3) STEP(24, w3, w4) STEP(32, w4,  \
										      w5)      \
						    STEP(40, w5, w6) STEP(48, w6, w7) STEP(    \
							    56, w7, w0) "movl $0, %k[low]\n\t" \
									"adcx %[low], %[w0]"   \
				: [w0] "+&r"(x0), [w1] "+&r"(x1), [w2] "+&r"(x2),              \
				  [w3] "+&r"(x3), [w4] "+&r"(x4), [w5] "+&r"(x5),              \
				  [w6] "+&r"(x6), [w7] "+&r"(x7), [d] "=m"(to),                \
				  [low] "=&r"(low), [high] "=&r"(high)                         \
				: [a] "r"(a), "d"(b), "m"(*(const uint64_t(*)[MONT64_BLOCK])a) \
				: "cc")

#		define LINES(B, x0, x1, x2, x3, x4, x5, x6, x7)              \
			LINE(B(0, x0), t[0], x0, x1, x2, x3, x4, x5, x6, x7); \
			LINE(B(1, x1), t[1], x1, x2, x3, x4, x5, x6, x7, x0); \
			LINE(B(2, x2), t[2], x2, x3, x4, x5, x6, x7, x0, x1); \
			LINE(B(3, x3), t[3], x3, x4, x5, x6, x7, x0, x1, x2); \
			LINE(B(4, x4), t[4], x4, x5, x6, x7, x0, x1, x2, x3); \
			LINE(B(5, x5), t[5], x5, x6, x7, x0, x1, x2, x3, x4); \
			LINE(B(6, x6), t[6], x6, x7, x0, x1, x2, x3, x4, x5); \
			LINE(B(7, x7), t[7], x7, x0, x1, x2, x3, x4, x5, x6)
#		define GIVEN(i, x)    b[i]
#		define QUOTIENT(i, x) (q[i] = (x)*m0)

/* x += t[0 .. 7], both carries going in and their sum coming out; CF and OF carry one each. */
#		define SUM(at, into) \
			"adcx " #at "(%[t]), %[" #into "]\n\tadox %[low], %[" #into "]\n\t"
#		define GATHER(c, k)                                                                             \
			__asm__("movq $-1, %[low]\n\taddb $127, %b[two]\n\tadcx %[low], %[one]\n\t"              \
				"movl $0, %k[low]\n\t" SUM(0, w0) SUM(8, w1) SUM(16, w2) SUM(                    \
					24, w3) SUM(32, w4) SUM(40, w5) SUM(48, w6)                              \
					SUM(56,                                                                  \
					    w7) "movl $0, %k[one]\n\tadcx %[low], %[one]\n\tadox %[low], %[one]" \
				: [w0] "+&r"(x0), [w1] "+&r"(x1), [w2] "+&r"(x2),                                \
				  [w3] "+&r"(x3), [w4] "+&r"(x4), [w5] "+&r"(x5),                                \
				  [w6] "+&r"(x6), [w7] "+&r"(x7), [low] "=&r"(low),                              \
				  [one] "+&r"(c), [two] "+&r"(k)                                                 \
				: [t] "r"(t), "m"(*(const uint64_t(*)[MONT64_BLOCK])t)                           \
				: "cc")

/* t[0 .. n+7] += a b with b = q chosen or given. */
static inline __attribute__((always_inline)) uint64_t
adx_row(bool choose, uint64_t *t, const uint64_t *a, const uint64_t *b, uint64_t *q, size_t n,
	uint64_t m0, uint64_t carry)
{
	uint64_t x0 = t[0], x1 = t[1], x2 = t[2], x3 = t[3], x4 = t[4], x5 = t[5], x6 = t[6],
		 x7 = t[7], low, high, c = 0;

	if (choose) {
		LINES(QUOTIENT, x0, x1, x2, x3, x4, x5, x6, x7);
	} else {
		LINES(GIVEN, x0, x1, x2, x3, x4, x5, x6, x7);
	}
	for (;;) {
		uint64_t k = 0;

		n -= MONT64_BLOCK;
		t += MONT64_BLOCK;
		a += MONT64_BLOCK;
		if (!n)
			k = carry;
		GATHER(c, k);
		if (!n)
			break;
		LINES(GIVEN, x0, x1, x2, x3, x4, x5, x6, x7);
	}
	t[0] = x0, t[1] = x1, t[2] = x2, t[3] = x3;
	t[4] = x4, t[5] = x5, t[6] = x6, t[7] = x7;
	return c;
}

static uint64_t adx_mul(uint64_t *t, const uint64_t *a, const uint64_t *b, size_t n,
			uint64_t carry)
{
	return adx_row(false, t, a, b, NULL, n, 0, carry);
}

static uint64_t adx_reduce(uint64_t *t, const uint64_t *m, uint64_t *q, size_t n, uint64_t m0,
			   uint64_t carry)
{
	return adx_row(true, t, m, q, q, n, m0, carry);
}

/* The products a[i] a[j], i < j, of one block: line i is a[i] times a[i+1 .. 7], its words lie at t[2i+1 .. 8+i], and
 * t[k] is held in x[k mod 8]; two of them are complete after each line, and become the new tops. */
#		define CORNER(i, steps, top, first, second)                                   \
			__asm__("xorl %k[low], %k[low]\n\t" steps "movl $0, %k[low]\n\t"       \
				"adcx %[low], %[" #top "]\n\tmovq %[" #first "], %[d]\n\t"     \
				"movq %[" #second "], %[e]\n\tmovl $0, %k[" #first "]\n\t"     \
				"movl $0, %k[" #second "]"                                     \
				: [w0] "+&r"(x0), [w1] "+&r"(x1), [w2] "+&r"(x2),              \
				  [w3] "+&r"(x3), [w4] "+&r"(x4), [w5] "+&r"(x5),              \
				  [w6] "+&r"(x6), [w7] "+&r"(x7), [d] "=m"(t[2 * i + 1]),      \
				  [e] "=m"(t[2 * i + 2]), [low] "=&r"(low), [high] "=&r"(high) \
				: [a] "r"(a), "d"(a[i]),                                       \
				  "m"(*(const uint64_t(*)[MONT64_BLOCK])a)                     \
				: "cc")

static void adx_corner(uint64_t *t, const uint64_t *a)
{
	uint64_t x0 = 0, x1 = 0, x2 = 0, x3 = 0, x4 = 0, x5 = 0, x6 = 0, x7 = 0, low, high;

	CORNER(0,
	       STEP(8, w1, w2) STEP(16, w2, w3) STEP(24, w3, w4) STEP(32, w4, w5)
		       STEP(40, w5, w6) STEP(48, w6, w7) STEP(56, w7, w0),
	       w0, w1, w2);
	CORNER(1,
	       STEP(16, w3, w4) STEP(24, w4, w5) STEP(32, w5, w6) STEP(40, w6, w7)
		       STEP(48, w7, w0) STEP(56, w0, w1),
	       w1, w3, w4);
	CORNER(2,
	       STEP(24, w5, w6) STEP(32, w6, w7) STEP(40, w7, w0) STEP(48, w0, w1)
		       STEP(56, w1, w2),
	       w2, w5, w6);
	CORNER(3, STEP(32, w7, w0) STEP(40, w0, w1) STEP(48, w1, w2) STEP(56, w2, w3), w3, w7,
	       w0);
	CORNER(4, STEP(40, w1, w2) STEP(48, w2, w3) STEP(56, w3, w4), w4, w1, w2);
	CORNER(5, STEP(48, w3, w4) STEP(56, w4, w5), w5, w3, w4);
	CORNER(6, STEP(56, w5, w6), w6, w5, w6);
}

/* t[2i], t[2i+1] = twice itself + a[i]^2; doubling carries in CF, the squares in OF. */
#		define DOUBLE(at, t0, t1)                                              \
			"movq " #at "(%[a]), %%rdx\n\tmulx %%rdx, %[low], %[high]\n\t"  \
			"movq " #t0                                                     \
			"(%[t]), %%rdx\n\tadcx %%rdx, %%rdx\n\tadox %[low], %%rdx\n\t"  \
			"movq %%rdx, " #t0 "(%[t])\n\t"                                 \
			"movq " #t1                                                     \
			"(%[t]), %%rdx\n\tadcx %%rdx, %%rdx\n\tadox %[high], %%rdx\n\t" \
			"movq %%rdx, " #t1 "(%[t])\n\t"

static void adx_double(uint64_t *t, const uint64_t *a, size_t n)
{
	uint64_t low, high;
	unsigned char c = 0, o = 0;

	for (; n; n -= MONT64_BLOCK, a += MONT64_BLOCK, t += 2 * MONT64_BLOCK)
		__asm__("addb $127, %[o]\n\tmovzbl %b[c], %k[high]\n\t"
			"movq $-1, %[low]\n\tadcx %[low], %[high]\n\t" /* c and o are in the flags */
			DOUBLE(0, 0, 8) DOUBLE(8, 16, 24) DOUBLE(16, 32, 40) DOUBLE(24, 48, 56)
				DOUBLE(32, 64, 72) DOUBLE(40, 80, 88) DOUBLE(48, 96, 104)
					DOUBLE(56, 112, 120) "setc %[c]\n\tseto %[o]"
			: [c] "+&r"(c), [o] "+&r"(o), [low] "=&r"(low), [high] "=&r"(high),
			  "+m"(*(uint64_t(*)[2 * MONT64_BLOCK]) t)
			: [a] "r"(a), [t] "r"(t), "m"(*(const uint64_t(*)[MONT64_BLOCK])a)
			: "cc", "rdx");
}

static void adx_square(uint64_t *t, const uint64_t *a, size_t n)
{
	unsigned char out;
	uint64_t carry = 0;

	memset(t, 0, 2 * n * sizeof *t);
	for (size_t i = 0; i < n; i += MONT64_BLOCK)
		adx_corner(t + 2 * i, a + i);
	for (size_t i = 0; i + MONT64_BLOCK < n; i += MONT64_BLOCK)
		carry = adx_mul(t + 2 * i + MONT64_BLOCK, a + i + MONT64_BLOCK, a + i,
				n - i - MONT64_BLOCK, carry);
	out = (unsigned char)carry;
	for (size_t i = 2 * n - MONT64_BLOCK; i < 2 * n; i++)
		t[i] = add_carry(t[i], 0, &out);
	adx_double(t, a, n);
}

static const struct mont64_kernel adx_kernel = { adx_mul, adx_reduce, adx_square };

static bool has_adx(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI2) && (b & bit_ADX);
}
#	endif
#endif

const struct mont64_kernel *mont64_kernel(unsigned i)
{
#if defined(__SIZEOF_INT128__)
#	if HAS_ADX_CODE
	if (has_adx() && i-- == 0)
		return &adx_kernel;
#	endif
	if (i == 0)
		return &portable_kernel;
#endif
	(void)i;
	return NULL;
}

unsigned mont64_add(uint64_t *a, const uint64_t *b, size_t n)
{
	unsigned char carry = 0;

	for (size_t i = 0; i < n; i++)
		a[i] = add_carry(a[i], b[i], &carry);
	return carry;
}

unsigned mont64_sub(uint64_t *a, const uint64_t *b, size_t n)
{
	unsigned char carry = 1; /* a - b = a + ~b + 1 */

	for (size_t i = 0; i < n; i++)
		a[i] = add_carry(a[i], ~b[i], &carry);
	return carry ^ 1u;
}

/* out = a - m where yes, else a. */
static void sub_if(uint64_t yes, uint64_t *out, const uint64_t *a, const uint64_t *m, size_t n)
{
	uint64_t mask = (uint64_t)0 - yes;
	unsigned char carry = (unsigned char)yes;

	for (size_t i = 0; i < n; i += 4) { /* unrolled, for the carry to stay in its flag */
		out[i] = add_carry(a[i], ~m[i] & mask, &carry);
		out[i + 1] = add_carry(a[i + 1], ~m[i + 1] & mask, &carry);
		out[i + 2] = add_carry(a[i + 2], ~m[i + 2] & mask, &carry);
		out[i + 3] = add_carry(a[i + 3], ~m[i + 3] & mask, &carry);
	}
}

void mont64_whole(const struct mont64 *o, uint64_t *a)
{
	uint64_t less[MONT64_MAX];

	memcpy(less, a, o->n * sizeof *a);
	sub_if(mont64_sub(less, o->m, o->n) ^ 1, a, a, o->m, o->n);
}

void mont64_product(const struct mont64_kernel *k, uint64_t *out, const uint64_t *a,
		    const uint64_t *b, size_t n)
{
	memset(out, 0, 2 * n * sizeof *out);
	for (size_t i = 0; i < n; i += MONT64_BLOCK)
		k->mul(out + i, a, b + i, n, 0);
}

void mont64_reduce(const struct mont64 *o, struct mont64_work *w, uint64_t *out)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < o->n; i += MONT64_BLOCK)
		carry = o->k->reduce(w->product + i, o->m, w->quotient, o->n, o->m0, carry);
	sub_if(carry, out, w->product + o->n, o->m, o->n);
}

void mont64_mul(const struct mont64 *o, struct mont64_work *w, uint64_t *out, const uint64_t *a,
		const uint64_t *b)
{
	mont64_product(o->k, w->product, a, b, o->n);
	mont64_reduce(o, w, out);
}

void mont64_square(const struct mont64 *o, struct mont64_work *w, uint64_t *out,
		   const uint64_t *a)
{
	o->k->square(w->product, a, o->n);
	mont64_reduce(o, w, out);
}

/* out = table[index]. Reads the whole table, whatever the index. */
static void choose(const struct mont64 *o, const struct mont64_work *w, uint64_t *out,
		   uint64_t index)
{
	typedef uint64_t pair __attribute__((vector_size(16), may_alias, aligned(8)));

	for (size_t j = 0; j < o->n; j += MONT64_BLOCK) {
		pair x[MONT64_BLOCK / 2] = { { 0 } };

		for (uint64_t i = 0; i < 1 << MONT64_WINDOW; i++) {
			uint64_t is = (uint64_t)0 - (((i ^ index) - 1) >> 63);
			const pair *row = (const pair *)(const void *)(w->table[i] + j);
			pair mask = { is, is };

			x[0] |= row[0] & mask;
			x[1] |= row[1] & mask;
			x[2] |= row[2] & mask;
			x[3] |= row[3] & mask;
		}
		memcpy(out + j, x, sizeof x);
	}
}

/* `n` bits of e, of which the lowest has the weight 2^at. */
static unsigned bits(const uint8_t *e, size_t octets, size_t at, unsigned n)
{
	size_t low = octets - 1 - at / 8;
	unsigned v = e[low];

	if (low > 0)
		v |= (unsigned)e[low - 1] << 8;
	return v >> at % 8 & ((1u << n) - 1);
}

/* out = R mod m, the Montgomery form of 1. */
static void one(const struct mont64 *o, struct mont64_work *w, uint64_t *out)
{
	memset(w->product, 0, 2 * o->n * sizeof *out);
	memcpy(w->product, o->r2, o->n * sizeof *out);
	mont64_reduce(o, w, out);
}

void mont64_power(const struct mont64 *o, struct mont64_work *w, uint64_t *x, const uint8_t *e,
		  size_t octets)
{
	size_t at = octets * 8, size = o->n * sizeof *x;

	one(o, w, w->table[0]);
	memcpy(w->table[1], x, size);
	for (size_t i = 2; i < 1 << MONT64_WINDOW; i++)
		mont64_mul(o, w, w->table[i], w->table[i - 1], x);
	memcpy(x, w->table[0], size);
	while (at) {
		unsigned n = at % MONT64_WINDOW ? at % MONT64_WINDOW : MONT64_WINDOW;

		for (unsigned i = 0; i < n; i++)
			mont64_square(o, w, x, x);
		at -= n;
		choose(o, w, w->power, bits(e, octets, at, n));
		mont64_mul(o, w, x, x, w->power);
	}
}

bool mont64_get(uint64_t *out, size_t n, const uint8_t *p, size_t octets)
{
	uint64_t over = 0;

	memset(out, 0, n * sizeof *out);
	for (size_t i = 0; i < octets; i++) {
		uint64_t v = p[octets - 1 - i];

		if (i / 8 < n)
			out[i / 8] |= v << i % 8 * 8;
		else
			over |= v;
	}
	return !over;
}

void mont64_put(const uint64_t *a, size_t n, uint8_t *p, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		p[octets - 1 - i] = i / 8 < n ? (uint8_t)(a[i / 8] >> i % 8 * 8) : 0;
}

/* 1/x mod 2^64 for odd x: each step doubles the right bits, of which x itself has three. */
static uint64_t inverse(uint64_t x)
{
	uint64_t y = x;

	for (int i = 0; i < 5; i++)
		y *= 2 - x * y;
	return y;
}

bool mont64_init(struct mont64 *o, const struct mont64_kernel *k, size_t n, const uint8_t *m,
		 size_t octets)
{
	if (n > MONT64_MAX || n % MONT64_BLOCK || !mont64_get(o->m, n, m, octets) ||
	    !(o->m[0] & 1))
		return false;
	o->k = k;
	o->n = n;
	o->m0 = (uint64_t)0 - inverse(o->m[0]);
	memset(o->r2, 0, sizeof o->r2);
	o->r2[0] = 1;
	for (size_t i = 0; i < 2 * 64 * n; i++) {
		uint64_t over = mont64_add(o->r2, o->r2, n);

		sub_if(over, o->r2, o->r2, o->m, n);
		mont64_whole(o, o->r2);
	}
	return true;
}
