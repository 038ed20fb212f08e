/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_VERBS_H
#define SMTPD_FRONT_VERBS_H

#include "smtpd/front/session.h"

/* Executes one command line, or in ST_AUTH one line of the exchange, both without CRLF. */
void verbs_line(struct session *s, struct slice line);

#endif
