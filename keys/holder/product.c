/* SPDX-License-Identifier: ISC */
#include "keys/holder/product.h"

void product_answer(const struct token *t, enum holder_result result, struct slice product)
{
	struct holder_reply r = { .result = (uint8_t)result };

	chan_answer(t, &r, sizeof r,
		    slice_head(product, result == HOLDER_DONE ? product.n : 0));
}
