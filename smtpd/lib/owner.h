/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_OWNER_H
#define SMTPD_LIB_OWNER_H

#include <stddef.h>

/* The struct that `p` points into, where `p` is its `member`. */
#define OWNER(type, member, p) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#endif
