/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_TURNS_H
#define SMTPD_OUT_TURNS_H

#include "smtpd/out/delivery.h"

/*
 * Letters of the forward lane wait here for their turn (shape.h), after it is known who runs the destination and
 * before anything is said there. Nothing of this exists in out.sub, whose turns queue gives.
 */
void turns_init(struct outbound *o);
/* True: d waits for its turn at the operator of `host`, and delivery_go() or its answer comes later, from the loop.
 * False: it has its turn, or needs none. */
bool turns_wait(struct delivery *d, struct slice host);
/* The verdicts are known: what was learnt is kept, and logged where the operator is left alone from now on. */
void turns_learn(struct delivery *d);
/* d is over. */
void turns_leave(struct delivery *d);
void turns_stop(void *ctx, struct call *c); /* OUT_STOP */

#endif
