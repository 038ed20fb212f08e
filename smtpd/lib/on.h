/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_ON_H
#define SMTPD_LIB_ON_H

/* ON(CONFIG_X): 1 where the bool symbol is y, 0 where it is n (genconfig leaves it undefined).
 * An expression, so the compiler checks both branches. Forced into every C file by the build. */
#define ON(symbol)	      ON_TEST_(symbol)
#define ON_TEST_(value)	      ON_PICK_(ON_IF_##value)
#define ON_PICK_(junk)	      ON_SECOND_(junk 1, 0, 0)
#define ON_SECOND_(a, b, ...) b
#define ON_IF_1		      0,

/* 1 in builds with the address sanitizer, which makes more system calls than any program. */
#if defined(__SANITIZE_ADDRESS__)
#	define SANITIZED 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer)
#		define SANITIZED 1
#	endif
#endif
#ifndef SANITIZED
#	define SANITIZED 0
#endif

#endif
