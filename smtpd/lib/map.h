/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_MAP_H
#define SMTPD_LIB_MAP_H

#include <cdb.h>

#include "smtpd/lib/bytes.h"

/* A constant database made at build time (TinyCDB), held in memory for the life of the process. */
struct map {
	struct cdb cdb;
	bool open;
};

/* Maps the file and walks every record, so that later look-ups stay within it; before the sandbox closes. fd stays
 * the caller's and may be -1: an empty map. False: the file is damaged, the map is empty. */
bool map_open(struct map *m, int fd);
/* *value borrows from the map. */
bool map_get(struct map *m, struct slice key, struct slice *value);

#endif
