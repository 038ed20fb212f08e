/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_VERDICT_H
#define SMTPD_LIB_VERDICT_H

/* What the world said. Unknown replies, timeouts, crashed helpers and full tables are all
 * V_TEMP; decided where the fact is known and never guessed again upstream. */
enum verdict { V_OK, V_TEMP, V_PERM };

#endif
