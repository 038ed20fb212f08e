/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_LETTER_H
#define SMTPD_FRONT_LETTER_H

#include "smtpd/front/session.h"

/* A transaction: MAIL to the answer about the whole letter. */

void letter_init(struct tx *t); /* nothing in it, nothing owned */
/* Gives back memory and budget. Not while check has the letter. */
void letter_drop(struct session *s);

/* MAIL was accepted so far. False: replied already. */
bool letter_begin(struct session *s, const struct command_mail *m);
/* Asks check about one more recipient; replies now or later. */
enum smtp_state letter_rcpt(struct session *s, const struct command_rcpt *r);
/* DATA: the state to go on in. */
enum smtp_state letter_data(struct session *s);
/* Takes text from the client; true when some was taken. At its end the letter goes to check. */
bool letter_feed(struct session *s);

/* The connection broke: the 250 that was said last may not have been heard. The session asks nothing now. */
void letter_unheard(struct session *s);

#endif
