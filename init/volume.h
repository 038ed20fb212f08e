/* SPDX-License-Identifier: ISC */
#ifndef INIT_VOLUME_H
#define INIT_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file systems for keys and journal, found by their ext4 labels (tinpost-keys-a,
 * tinpost-keys-b, tinpost-data) and mounted without devices, programs and set-user-id. A
 * missing or broken one is said and left as it is: nothing is ever formatted here. The journal's
 * partition reaches to the end of its disk in memory, whatever the table says. In a
 * container the folders are there already and are used as they are when they can be written.
 */
unsigned volume_mount(bool machine); /* enum ctl_flag */
void volume_unmount(void);
/* The partition of the boot loader and the slots, beside the one of the keys, for O_DIRECT; -1: this disk has none. */
int volume_slots(void);

/* What one ext4 super block (the 1024 octets at offset 1024 of the device) says. False: not
 * ext4. */
struct volume_super {
	char label[17];
	uint64_t blocks;
	uint32_t block_size;
};

enum { VOLUME_SUPER_AT = 1024, VOLUME_SUPER_SIZE = 1024 };

bool volume_super_parse(const uint8_t *p, size_t n, struct volume_super *out);

#endif
