/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "init/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/ctl.h"
#include "init/mounts.h"
#include "init/say.h"
#include "init/tables.h"

#define RESIZE_FS _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS */

enum volume { KEYS_A, KEYS_B, DATA, VOLUMES };

enum {
#define PLACE(id, start, size) id##_SECTOR = (start)*2, id##_SECTORS = (size)*2,
#include "init/layout.def"
};

static const struct {
	const char *label, *path;
} volumes[VOLUMES] = {
	[KEYS_A] = { "tinpost-keys-a", "/keys/a" },
	[KEYS_B] = { "tinpost-keys-b", "/keys/b" },
	[DATA] = { "tinpost-data", "/data" },
};

struct found {
	char device[64]; /* empty: none */
	struct volume_super super;
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool volume_super_parse(const uint8_t *p, size_t n, struct volume_super *out)
{
	enum {
		BLOCKS_LO = 4,
		LOG_SIZE = 0x18,
		MAGIC = 0x38,
		INCOMPAT = 0x60,
		LABEL = 0x78,
		BLOCKS_HI = 0x150
	};
	enum { IS_64BIT = 0x80 };

	if (n < VOLUME_SUPER_SIZE || p[MAGIC] != 0x53 || p[MAGIC + 1] != 0xEF ||
	    le32(p + LOG_SIZE) > 6)
		return false;
	*out = (struct volume_super){ .blocks = le32(p + BLOCKS_LO),
				      .block_size = 1024u << le32(p + LOG_SIZE) };
	if (le32(p + INCOMPAT) & IS_64BIT)
		out->blocks |= (uint64_t)le32(p + BLOCKS_HI) << 32;
	memcpy(out->label, p + LABEL, 16);
	return true;
}

static bool read_super(const char *device, struct volume_super *out)
{
	uint8_t b[VOLUME_SUPER_SIZE];
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && pread(fd, b, sizeof b, VOLUME_SUPER_AT) == sizeof b &&
		  volume_super_parse(b, sizeof b, out);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void note_device(const char *device, struct found *found)
{
	struct volume_super super;

	if (!read_super(device, &super))
		return;
	for (int v = 0; v < VOLUMES; v++) {
		if (strcmp(super.label, volumes[v].label) != 0)
			continue;
		if (found[v].device[0]) {
			say("ev=volume label=%s device=%s ignored=duplicate", super.label,
			    device);
			return;
		}
		snprintf(found[v].device, sizeof found[v].device, "%s", device);
		found[v].super = super;
	}
}

static bool find_devices(struct found *found)
{
	DIR *d = opendir("/sys/class/block");
	struct dirent *e;
	char device[64];

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && (size_t)snprintf(device, sizeof device, "/dev/%s",
							    e->d_name) < sizeof device)
			note_device(device, found);
	if (d)
		closedir(d);
	return found[KEYS_A].device[0] && found[KEYS_B].device[0] && found[DATA].device[0];
}

/* Cards and controllers may take longer to appear than init to start. */
static void wait_for_devices(struct found *found)
{
	enum { STEP_MS = 50 };

	for (int i = 0; i <= CONFIG_INIT_DISK_WAIT * 1000 / STEP_MS; i++) {
		if (i)
			poll(NULL, 0, STEP_MS);
		memset(found, 0, VOLUMES * sizeof *found);
		if (find_devices(found))
			return;
	}
}

/* A number that the kernel tells of a block device; 0: none. */
static unsigned long long fact(const char *device, const char *name)
{
	char path[96], text[24];

	snprintf(path, sizeof path, "/sys/class/block/%s/%s", device, name);
	mounts_read(path, text, sizeof text);
	return strtoull(text, NULL, 10);
}

/* The name of the disk that a partition is part of. */
static bool whole_disk(const char *device, char out[32])
{
	char path[96], to[PATH_MAX], *end, *name;
	ssize_t n;

	snprintf(path, sizeof path, "/sys/class/block/%s", device);
	n = readlink(path, to, sizeof to - 1);
	if (n <= 0)
		return false;
	to[n] = 0;
	end = strrchr(to, '/');
	if (!end)
		return false;
	*end = 0;
	name = strrchr(to, '/');
	return name && (size_t)snprintf(out, 32, "%s", name + 1) < 32;
}

/* In memory a partition reaches to the end of its disk; the table on the disk stays as it is. Where another
 * one follows, the kernel refuses. */
static void stretch(const char *path)
{
	const char *device = path + sizeof "/dev/" - 1;
	unsigned long long number = fact(device, "partition"), start = fact(device, "start");
	struct blkpg_partition p = { .pno = (int)number, .start = (long long)start << 9 };
	struct blkpg_ioctl_arg arg = { BLKPG_RESIZE_PARTITION, 0, sizeof p, &p };
	char disk[32], whole[40];
	int fd;

	if (!number || !whole_disk(device, disk) ||
	    fact(disk, "size") <= start + fact(device, "size"))
		return;
	p.length = (long long)(fact(disk, "size") - start) >> 3 << 12;
	snprintf(whole, sizeof whole, "/dev/%s", disk);
	fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKPG, &arg) != 0)
		say_errno("ev=stretch device=%s", path);
	if (fd >= 0)
		close(fd);
}

/* The file system follows its device: a bigger disk is used whole from the next boot on. */
static void grow(const char *path, const struct found *f)
{
	uint64_t octets = 0, blocks;
	int dev = open(f->device, O_RDONLY | O_CLOEXEC), dir = -1;

	if (dev < 0 || ioctl(dev, BLKGETSIZE64, &octets) != 0)
		goto out;
	blocks = octets / f->super.block_size;
	if (blocks <= f->super.blocks)
		goto out;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || ioctl(dir, RESIZE_FS, &blocks) != 0)
		say_errno("ev=grow path=%s", path);
	else
		say("ev=grow path=%s mib=%llu", path, (unsigned long long)(octets >> 20));
out:
	if (dir >= 0)
		close(dir);
	if (dev >= 0)
		close(dev);
}

static bool attach(enum volume v, const struct found *f)
{
	if (!f->device[0]) {
		say("ev=volume label=%s missing=yes", volumes[v].label);
		return false;
	}
	if (v == DATA)
		stretch(f->device);
	if (mount(f->device, volumes[v].path, "ext4",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_LAZYTIME,
		  "errors=remount-ro") != 0) {
		say_errno("ev=volume label=%s device=%s broken=yes", volumes[v].label,
			  f->device);
		return false;
	}
	say("ev=volume label=%s device=%s path=%s", volumes[v].label, f->device,
	    volumes[v].path);
	if (v == DATA)
		grow(volumes[v].path, f);
	return true;
}

/* User ids are row numbers, and another build may have other rows. */
static void give_files(const char *path, unsigned uid)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && (st.st_uid != uid || st.st_gid != uid) &&
		    fchownat(dirfd(d), e->d_name, uid, uid, AT_SYMLINK_NOFOLLOW) != 0)
			say_errno("ev=folder path=%s file=%s", path, e->d_name);
	if (d)
		closedir(d);
}

/* A folder, and the files in it, that belong to one process. */
static bool give(const char *path, enum proc_id owner)
{
	unsigned uid = tables_uid(owner);

	if ((mkdir(path, 0700) != 0 && errno != EEXIST) || chown(path, uid, uid) != 0 ||
	    chmod(path, 0700) != 0) {
		say_errno("ev=folder path=%s", path);
		return false;
	}
	give_files(path, uid);
	return true;
}

static bool prepare(enum volume v)
{
	static const struct {
		const char *name;
		enum proc_id owner;
	} kinds[] = { { "tls", P_HOLDER_TLS },	    { "srs", P_HOLDER_SRS },
		      { "dkim", P_HOLDER_DKIM },    { "ed25519", P_HOLDER_DKIM },
		      { "account", P_HOLDER_ACME }, { "acme", P_ACME },
		      { "tlsrsa", P_HOLDER_TLS } };
	bool ok = true;
	char path[32];

	if (v == DATA && tables_built(P_QUEUE_MX))
		give(SPOOL_FOLDER, P_QUEUE_MX); /* without it queue.mx has no journal */
	if (v == DATA)
		return give(volumes[v].path, P_QUEUE);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(path, sizeof path, "%s/%s", volumes[v].path, kinds[i].name);
		ok = give(path, kinds[i].owner) && ok;
	}
	return ok;
}

/* A new key disk beside the backup of a lost one: those of the keys to come are not written over it. */
static void spare_backup(void)
{
	if (access("/keys/a/srs/key", F_OK) != 0 && access("/keys/b/srs/key", F_OK) != 0 &&
	    rename("/data/keys.backup", "/data/keys.lost") == 0)
		say("ev=backup kept=/data/keys.lost");
}

unsigned volume_mount(bool machine)
{
	struct found found[VOLUMES] = { 0 };
	unsigned flags = 0;

	if (machine)
		wait_for_devices(found);
	for (int v = 0; v < VOLUMES; v++) {
		if (machine && !attach(v, &found[v]))
			continue;
		if (prepare(v))
			flags |= v == DATA ? CTL_HAVE_DATA : CTL_HAVE_KEYS;
	}
	if (ON(CONFIG_KEYS_BACKUP) && flags & CTL_HAVE_KEYS && flags & CTL_HAVE_DATA)
		spare_backup();
	if (!(flags & CTL_HAVE_KEYS))
		say("ev=keys have=no effect=\"returns are refused after a restart\"");
	if (!(flags & CTL_HAVE_DATA))
		say("ev=data have=no effect=\"submission answers 451\"");
	return flags;
}

int volume_slots(void)
{
	struct found found[VOLUMES] = { 0 };
	char *device = found[KEYS_A].device, *name = device + sizeof "/dev/" - 1;

	find_devices(found);
	if (!device[0] || fact(name, "partition") != 2)
		return -1;
	device[strlen(device) - 1] = '1';
	if (fact(name, "start") != FAT_SECTOR || fact(name, "size") != FAT_SECTORS)
		return -1;
	return open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
}

void volume_unmount(void)
{
	for (int v = 0; v < VOLUMES; v++)
		if (umount(volumes[v].path) != 0 && errno != EINVAL && errno != ENOENT) {
			say_errno("ev=unmount path=%s", volumes[v].path);
			mount(NULL, volumes[v].path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
		}
	sync();
}
