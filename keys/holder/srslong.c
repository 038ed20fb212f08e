/* SPDX-License-Identifier: ISC */
#include "keys/holder/srslong.h"

#include <string.h>

#include "keys/holder/keyrand.h"

static struct slice address_of(const struct srslong *l, unsigned i)
{
	return (struct slice){ l->row[i].address, l->row[i].n };
}

static void put_name(const struct srslong *l, unsigned i, struct buf *name)
{
	buf_hex(name, (struct slice){ (const uint8_t *)&l->row[i].name, sizeof(uint64_t) });
}

void srslong_put(struct srslong *l, struct slice address, struct buf *name)
{
	unsigned i = 0;

	while (i < SRSLONG_ROWS && !slice_eq(address_of(l, i), address))
		i++;
	if (i == SRSLONG_ROWS) {
		i = l->next;
		l->next = (i + 1) % SRSLONG_ROWS;
		keyrand_get((uint8_t *)&l->row[i].name, sizeof l->row[i].name);
		memcpy(l->row[i].address, address.p, address.n);
		l->row[i].n = (uint16_t)address.n;
	}
	put_name(l, i, name);
}

bool srslong_get(const struct srslong *l, struct slice name, struct buf *address)
{
	for (unsigned i = 0; i < SRSLONG_ROWS && l->row[i].n; i++) {
		uint8_t mem[SRSLONG_NAME];
		struct buf is = BUF(mem);

		put_name(l, i, &is);
		if (!slice_ieq(buf_slice(&is), name))
			continue;
		buf_put(address, address_of(l, i));
		return true;
	}
	return false;
}
