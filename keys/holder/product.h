/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_PRODUCT_H
#define KEYS_HOLDER_PRODUCT_H

#include "smtpd/msg/holder.h"

/* Answers a request; the product is left out unless HOLDER_DONE. */
void product_answer(const struct token *t, enum holder_result result, struct slice product);

#endif
