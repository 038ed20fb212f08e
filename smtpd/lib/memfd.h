/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_MEMFD_H
#define SMTPD_LIB_MEMFD_H

#include "smtpd/lib/bytes.h"

/*
 * A letter in transit is two memfds, `text` and `head`: written once, sealed against writing, growing, shrinking
 * and sealing, read with pread only (all holders share one file offset, and mapping a sealed memfd is EPERM before
 * Linux 6.7). Errors are temporary failures of the world: false, or -1.
 */
int memfd_make(const char *name); /* non-executable, close-on-exec; -1 = none to be had */
bool memfd_append(int fd, uint64_t at, struct slice s); /* writes all of s at that offset */
bool memfd_seal(int fd);
/* A received descriptor: is it a sealed memfd of at most max octets? Its size goes to *size. */
bool memfd_check(int fd, uint64_t max, uint64_t *size);
/* Reads exactly n octets at an offset; false when they are not there. */
bool memfd_read(int fd, uint64_t at, uint8_t *out, size_t n);
/* A note on a memfd that all holders see: somebody is at work on the letter. It is the shared offset, 1 or 0, which
 * nothing else uses. False: it is no memfd. */
bool memfd_mark(int fd, bool on);
bool memfd_marked(int fd);
void memfd_close(int *fd); /* closes and sets -1; -1 is fine */

#endif
