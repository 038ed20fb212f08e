/* SPDX-License-Identifier: ISC */
#ifndef INIT_UPDATE_WELL_H
#define INIT_UPDATE_WELL_H

#include "smtpd/lib/stream.h"

/* Whether the machine serves: asked again and again until the front end greets on loopback. */
struct well {
	struct watch again;
	struct stream s;
	uint8_t in[512], out[16];
	void (*is)(struct well *w); /* once */
};

enum { WELL_WATCHES = 2 };

void well_start(struct well *w, struct loop *l, void (*is)(struct well *));

#endif
