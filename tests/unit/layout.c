/* SPDX-License-Identifier: ISC */
/* init/layout.def: places do not overlap, hold each other as they should, and lie where firmware and flash want them. */
#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/test.h"

enum {
#define PLACE(id, start, size) id##_AT = (start), id##_END = (start) + (size),
#define SLOT(id, start, size)  SLOT_##id##_AT = (start), SLOT_##id##_END = (start) + (size),
#include "init/layout.def"
};

static const struct {
	const char *name;
	uint32_t at, end;
} places[] = {
#define PLACE(id, start, size) { #id, start, (start) + (size) },
#include "init/layout.def"
};

static bool inside_fat(uint32_t at, uint32_t end)
{
	return at >= FAT_AT && end <= FAT_END;
}

int main(void)
{
	enum { PLACES = sizeof places / sizeof *places, CLUSTER = 4, MIB = 1024 };

	for (int i = 0; i < PLACES; i++)
		for (int k = 0; k < i; k++) {
			bool apart = places[i].at >= places[k].end ||
				     places[k].at >= places[i].end;
			bool part = places[k].at == FAT_AT &&
				    inside_fat(places[i].at, places[i].end);

			CHECK(apart != part);
		}
	CHECK(inside_fat(ONCE_AT, ONCE_END) && ONCE_END - ONCE_AT == 1);
	CHECK(SYSLINUX_CFG_AT % CLUSTER == 0 && LOADER_CONF_AT % CLUSTER == 0 &&
	      LOADER_ENTRIES_AT % CLUSTER == 0);
	/* The three files of a slot leave nothing between them. */
	CHECK(SLOT_KERNEL_AT == 0 && SLOT_ROOTFS_AT == SLOT_KERNEL_END &&
	      SLOT_NOTE_AT == SLOT_ROOTFS_END);
	CHECK(SLOT_NOTE_END == SLOT_A_END - SLOT_A_AT &&
	      SLOT_NOTE_END == SLOT_B_END - SLOT_B_AT);
	CHECK(inside_fat(SLOT_A_AT, SLOT_A_END) && inside_fat(SLOT_B_AT, SLOT_B_END));
	CHECK(SLOT_A_AT % MIB == 0 && SLOT_B_AT % MIB == 0);
	/* One erase block of a card that dies takes one copy of the keys. */
	CHECK(KEYS_B_AT - KEYS_A_END >= 4 * MIB);
	CHECK(KEYS_A_END - KEYS_A_AT == 4 * MIB && KEYS_B_END - KEYS_B_AT == 4 * MIB);
	CHECK(UBOOT_AT == 8 && CHOICE_AT >= UBOOT_END && CHOICE_END <= FAT_AT);
	CHECK(DATA_AT % MIB == 0 && DATA_AT >= KEYS_B_END);
	TEST_END();
}
