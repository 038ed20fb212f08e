/* SPDX-License-Identifier: ISC */
#ifndef INIT_CLOCK_SAVED_H
#define INIT_CLOCK_SAVED_H

#include <stdbool.h>
#include <stdint.h>

/* The time (s since 1970) in a file of 16 octets: the number and its complement, big endian. */
bool saved_read(int fd, int64_t *time); /* false: none, or a torn one; *time untouched */
bool saved_write(int fd, int64_t time); /* and on the disk */

#endif
