/* SPDX-License-Identifier: ISC */
/*
 * cuts: the journal's disk as it was at any cut of the power, and what recovery finds there.
 *
 *	cuts BASE LOG EVENTS [-e EXTENTS | -x COMMAND] [-n IMAGES] [-s SEED] [-f FROM] [-t TO] [-l] [-o FILE]
 *
 * BASE is the disk before, LOG what blklogwrites wrote of it. An image is all writes up to a flush and, of those behind it
 * up to the next one, every write, some, or parts of them. EVENTS, one a line, has what the other side saw and how long LOG was
 * then: `sent HASH LENGTH`, `accepted HASH LENGTH`, `delivered HASH LENGTH`; HASH is BLAKE2b-128 of a letter's text.
 * EXTENTS has where segments lie: `SEGMENT OFFSET DISK-OFFSET OCTETS`; without it COMMAND IMAGE mends the file system
 * and prints that, for each image. -f, -t: cuts at these lengths of LOG alone. -l: flushes lie, the disk keeps what it
 * likes. -o: writes the image of the last cut. The law is in judge(). The last line has the numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtpd/queue/journal.h"

enum {
	SECTOR = 512,
	LETTERS = 4096,
	EXTENTS = 4096,
	ENTRIES = 1 << 18,
	HASH = 16,
	LOG_FLUSH = 1, /* of blklogwrites: flags of an entry */
	LOG_FUA = 2,
	SEGS = CONFIG_SMTPD_QUEUE_SEGMENTS,
};

#define NEVER UINT64_MAX

struct entry {
	uint64_t at, n, flags; /* octets of the disk */
	const uint8_t *p;
	uint64_t end; /* of LOG, behind this entry */
};

struct sample { /* a letter, as the other side saw it: lengths of LOG */
	uint8_t hash[HASH];
	uint64_t sent, accepted, delivered;
	uint64_t over; /* the first flush behind which it was over */
	bool found;
};

struct extent {
	unsigned seg;
	uint64_t off, at, n;
};

static struct {
	struct disk disk; /* first */
	uint8_t *image;
	size_t size;
	const uint8_t *log;
	size_t log_size;
	struct entry entry[ENTRIES];
	unsigned nentry;
	struct sample sample[LETTERS];
	unsigned nsample;
	struct extent extent[EXTENTS];
	unsigned nextent;
	uint64_t random;
	unsigned images, lost, invented, again, twice, damaged, most;
	const char *command;
	bool lying;
	struct journal journal;
} t;

static _Noreturn void fail(const char *what, const char *name)
{
	fprintf(stderr, "cuts: %s: %s: %s\n", name, what, strerror(errno));
	exit(2);
}

static uint32_t dice(uint32_t n)
{
	t.random = t.random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t.random >> 33) % n;
}

/* ---- what is read ---- */

static uint8_t *map(const char *name, size_t *size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st))
		fail("open", name);
	*size = (size_t)st.st_size;
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		fail("map", name);
	close(fd);
	return p;
}

static uint64_t le64(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

/* A super block of one sector, then for each entry a header of one sector and its data; up to the end of the file,
 * because the super block's count is written at flushes only. */
static void read_log(const char *name)
{
	uint64_t at = SECTOR;

	t.log = map(name, &t.log_size);
	if (t.log_size < SECTOR || le64(t.log) != 0x6a736677736872u || t.log[24] != 0 ||
	    t.log[25] != SECTOR >> 8)
		fail("not a log of 512-octet sectors", name);
	while (at + SECTOR <= t.log_size && t.nentry < ENTRIES) {
		const uint8_t *p = t.log + at;
		struct entry e = { .at = le64(p) * SECTOR,
				   .n = le64(p + 8) * SECTOR,
				   .flags = le64(p + 16),
				   .p = p + SECTOR };

		if (e.flags & ~(uint64_t)(LOG_FLUSH | LOG_FUA) || e.at > t.size ||
		    e.n > t.size - e.at || e.n > t.log_size - at - SECTOR)
			break;
		at += SECTOR + e.n;
		e.end = at;
		t.entry[t.nentry++] = e;
	}
}

static struct sample *sample_of(const uint8_t hash[HASH])
{
	for (unsigned i = 0; i < t.nsample; i++)
		if (!memcmp(t.sample[i].hash, hash, HASH))
			return &t.sample[i];
	return NULL;
}

static struct sample *sample_new(const uint8_t hash[HASH])
{
	struct sample *s = sample_of(hash);

	if (!s && t.nsample < LETTERS) {
		s = &t.sample[t.nsample++];
		*s = (struct sample){
			.sent = NEVER, .accepted = NEVER, .delivered = NEVER, .over = NEVER
		};
		memcpy(s->hash, hash, HASH);
	}
	return s;
}

static void read_events(const char *name)
{
	FILE *f = fopen(name, "r");
	char what[16], hex[2 * HASH + 1];
	unsigned long long at;
	uint8_t hash[HASH];

	if (!f)
		fail("open", name);
	while (fscanf(f, "%15s %32s %llu", what, hex, &at) == 3) {
		struct sample *s;

		if (sodium_hex2bin(hash, HASH, hex, strlen(hex), NULL, NULL, NULL) ||
		    !(s = sample_new(hash)))
			fail("bad line", name);
		if (!strcmp(what, "sent"))
			s->sent = at;
		else if (!strcmp(what, "accepted"))
			s->accepted = at;
		else
			s->delivered = at; /* the last one counts */
	}
	fclose(f);
}

static void read_extents(FILE *f)
{
	unsigned long long off, at, n;
	unsigned seg;

	t.nextent = 0;
	while (t.nextent < EXTENTS && fscanf(f, "%u %llu %llu %llu", &seg, &off, &at, &n) == 4)
		t.extent[t.nextent++] = (struct extent){ seg, off, at, n };
}

/* ---- the disk that recovery reads ---- */

static bool cuts_size(struct disk *d, unsigned seg, uint64_t *size)
{
	(void)d;
	*size = 0;
	for (unsigned i = 0; i < t.nextent; i++)
		if (t.extent[i].seg == seg && t.extent[i].off + t.extent[i].n > *size)
			*size = t.extent[i].off + t.extent[i].n;
	return *size;
}

static bool cuts_read(struct disk *d, unsigned seg, uint64_t at, uint8_t *p, size_t n)
{
	uint64_t size;

	if (!cuts_size(d, seg, &size) || at > size || n > size - at)
		return false;
	memset(p, 0, n); /* holes */
	for (unsigned i = 0; i < t.nextent; i++) {
		const struct extent *e = &t.extent[i];
		uint64_t from = at > e->off ? at : e->off, to = at + n;

		if (e->seg != seg || from >= e->off + e->n || to <= e->off)
			continue;
		to = to < e->off + e->n ? to : e->off + e->n;
		memcpy(p + (from - at), t.image + e->at + (from - e->off), (size_t)(to - from));
	}
	return true;
}

/* Recovery may write again what it read, and nothing else. */
static bool cuts_write(struct disk *d, unsigned seg, uint64_t at, const uint8_t *p, size_t n)
{
	uint8_t *there = malloc(n);
	bool same = there && cuts_read(d, seg, at, there, n) && !memcmp(there, p, n);

	free(there);
	return same;
}

static bool cuts_flush(struct disk *d, unsigned seg)
{
	(void)d;
	(void)seg;
	return true;
}

/* ---- the law ---- */

struct text { /* the text of a letter runs through here */
	crypto_generichash_state h;
	uint64_t from;
};

static bool text_piece(void *ctx, uint64_t off, struct slice s)
{
	struct text *x = ctx;

	if (off < x->from)
		s = slice_from(s, x->from - off < s.n ? (size_t)(x->from - off) : s.n);
	crypto_generichash_update(&x->h, s.p, s.n);
	return true;
}

static void complain(unsigned *count, const char *what, const struct sample *s, uint64_t end)
{
	char hex[2 * HASH + 1] = "";

	if (s)
		sodium_bin2hex(hex, sizeof hex, s->hash, HASH);
	if (!t.lying && ++*count <= 3)
		printf("%s %s at %llu, image %u\n", what, hex, (unsigned long long)end,
		       t.images);
	else if (t.lying)
		++*count;
}

/* A letter that recovery holds: one that was sent, once, and not after its delivery was on disk. */
static void judge_letter(const struct letter *e, uint64_t flush, uint64_t end)
{
	struct text x = { .from = JR_PREFIX + (uint64_t)e->l.nrcpt * JR_RCPT + e->l.head_size };
	uint8_t hash[HASH];
	struct sample *s;

	crypto_generichash_init(&x.h, NULL, 0, HASH);
	if (!jr_walk(&t.disk, &t.journal.seg[e->seg].use, &e->r, text_piece, &x))
		complain(&t.damaged, "damaged letter", NULL, end);
	crypto_generichash_final(&x.h, hash, HASH);
	s = sample_of(hash);
	if (!s || s->sent > end) {
		complain(&t.invented, "invented letter", s, end);
		return;
	}
	if (s->found)
		complain(&t.twice, "letter found twice", s, end);
	s->found = true;
	if (s->over <= flush)
		complain(&t.again, "delivered again", s, end);
}

/* flush, end: lengths of LOG up to the last whole flush, and up to the last write that may be on disk.
 * Every letter whose 250 was seen is there, or was delivered; nothing else is there; what is over stays over; and
 * nothing looks damaged. */
static void judge(uint64_t flush, uint64_t end, bool exact)
{
	struct journal *j = &t.journal;
	struct ledger g = j->g;

	memset(j, 0, sizeof *j);
	j->g = g;
	journal_init(j, &t.disk, 1000, 2000000000);
	t.images++;
	for (unsigned i = 0; i < t.nsample; i++)
		t.sample[i].found = false;
	for (unsigned i = 0; i < SEGS; i++)
		if (j->seg[i].damaged || j->seg[i].state == SEG_ASIDE ||
		    j->seg[i].state == SEG_BAD)
			complain(&t.damaged, "damage", NULL, end);
	for (uint32_t n = 0; n < j->g.top_letter; n++)
		if (j->g.letter[n].r.letter && j->g.letter[n].open)
			judge_letter(&j->g.letter[n], flush, end);
	t.most = j->g.letters > t.most ? j->g.letters : t.most;
	for (unsigned i = 0; i < t.nsample; i++) {
		struct sample *s = &t.sample[i];

		if (s->accepted > end || s->found)
			continue;
		if (s->delivered > end)
			complain(&t.lost, "lost letter", s, end);
		else if (exact && flush < s->over)
			s->over = flush;
	}
}

/* ---- images ---- */

static void ask_command(void)
{
	char name[] = "cut.img", line[512];
	FILE *f = fopen(name, "w+");
	int fd = f ? fileno(f) : -1;
	uint8_t *mended;
	size_t size;

	if (!f || write(fd, t.image, t.size) != (ssize_t)t.size)
		fail("write", name);
	snprintf(line, sizeof line, "%s %s", t.command, name);
	fclose(f);
	f = popen(line, "r");
	if (!f)
		fail("run", t.command);
	read_extents(f);
	if (pclose(f))
		complain(&t.damaged, "file system", NULL, t.images);
	mended = map(name, &size);
	memcpy(t.image, mended, t.size);
	munmap(mended, size);
}

static void look(uint64_t flush, uint64_t end, bool exact)
{
	static uint8_t *saved;

	if (!t.command) {
		judge(flush, end, exact);
		return;
	}
	saved = saved ? saved : malloc(t.size);
	if (!saved)
		abort();
	memcpy(saved, t.image, t.size);
	ask_command();
	judge(flush, end, exact);
	memcpy(t.image, saved, t.size);
}

static void apply(const struct entry *e)
{
	if (e->n)
		memcpy(t.image + e->at, e->p, (size_t)e->n);
}

enum tail { WHOLE, TORN, SOME_WRITES, SOME_PIECES, TAILS };

/* ext4 writes its super block, and that of its own journal, in place, each with a checksum over two sectors: torn between them
 * they cannot be mounted. Nothing above ext4 can help, so these blocks are whole or absent. */
static bool one_piece(const struct entry *e)
{
	static const uint8_t magic[] = { 0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4 };

	return e->n == 4096 && (!e->at || !memcmp(e->p, magic, sizeof magic));
}

/* Some of the writes first .. last-1, which no flush confirmed. */
static void apply_tail(unsigned first, unsigned last)
{
	enum tail how = dice(TAILS);
	unsigned piece = dice(2) ? 4096 : SECTOR, likely = 1 + dice(9);

	for (unsigned i = first; i < last; i++) {
		struct entry e = t.entry[i];
		unsigned size = one_piece(&e) ? 4096 : piece;

		if (how == SOME_WRITES && dice(10) >= likely)
			continue;
		if (how == TORN && i + 1 == last && e.n)
			e.n = dice((uint32_t)(e.n / size) + 1) * (uint64_t)size;
		for (uint64_t at = 0; at < e.n; at += size) {
			uint64_t n = e.n - at < size ? e.n - at : size;

			if (how != SOME_PIECES || dice(10) < likely)
				memcpy(t.image + e.at + at, e.p + at, (size_t)n);
		}
	}
}

/* The cuts between one flush and the next: entries first .. last-1. */
static void interval(unsigned first, unsigned last, unsigned count)
{
	uint64_t flush = first ? t.entry[first - 1].end : SECTOR;
	static struct {
		uint64_t at, n;
		uint8_t *p;
	} old[ENTRIES];

	look(flush, flush, true);
	if (first == last)
		return;
	for (unsigned i = first; i < last; i++) {
		old[i].p = malloc(t.entry[i].n + 1);
		if (!old[i].p)
			abort();
		memcpy(old[i].p, t.image + t.entry[i].at, t.entry[i].n);
	}
	while (count-- > 0) {
		unsigned to = first + 1 + dice(last - first);

		apply_tail(first, to);
		look(flush, t.entry[to - 1].end, false);
		for (unsigned i = last; i-- > first;)
			memcpy(t.image + t.entry[i].at, old[i].p, t.entry[i].n);
	}
	for (unsigned i = first; i < last; i++)
		free(old[i].p);
}

/* Does a flush that can be believed end here? Of a lying disk's flushes it is one in eight. */
static bool ends(unsigned i)
{
	static unsigned flushes;

	if (!i)
		flushes = 0;
	return t.entry[i].flags & LOG_FLUSH && (flushes++ % 8 == 0 || !t.lying);
}

static void walk(unsigned images, uint64_t from, uint64_t to)
{
	unsigned flushes = 1, first = 0;

	for (unsigned i = 0; i < t.nentry; i++)
		flushes += ends(i) && t.entry[i].end >= from && t.entry[i].end <= to;
	for (unsigned i = 0; i < t.nentry; i++) {
		uint64_t start = first ? t.entry[first - 1].end : SECTOR;

		if (!ends(i))
			continue;
		if (start >= from && start <= to)
			interval(first, i, (images + flushes - 1) / flushes);
		for (unsigned k = first; k <= i && start <= to; k++)
			apply(&t.entry[k]);
		first = i + 1;
	}
}

static void put_image(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, t.image, t.size) != (ssize_t)t.size || close(fd))
		fail("write", name);
}

int main(int argc, char **argv)
{
	unsigned images = 0;
	uint64_t from = 0, to = NEVER;
	const char *out = NULL;
	FILE *f;
	int o;

	t.disk = (struct disk){
		.size = cuts_size, .read = cuts_read, .write = cuts_write, .flush = cuts_flush
	};
	while ((o = getopt(argc, argv, "e:x:n:s:f:t:lo:")) != -1) {
		if (o == 'e') {
			f = fopen(optarg, "r");
			if (!f)
				fail("open", optarg);
			read_extents(f);
			fclose(f);
		}
		t.command = o == 'x' ? optarg : t.command;
		images = o == 'n' ? (unsigned)atoi(optarg) : images;
		t.random = o == 's' ? (uint64_t)atoll(optarg) : t.random;
		from = o == 'f' ? (uint64_t)atoll(optarg) : from;
		to = o == 't' ? (uint64_t)atoll(optarg) : to;
		t.lying |= o == 'l';
		out = o == 'o' ? optarg : out;
		if (o == '?')
			return 2;
	}
	if (argc - optind != 3) {
		fprintf(stderr, "call: cuts [options] BASE LOG EVENTS\n");
		return 2;
	}
	t.image = map(argv[optind], &t.size);
	read_log(argv[optind + 1]);
	read_events(argv[optind + 2]);
	walk(images, from, to);
	if (out)
		put_image(out);
	printf("images %u letters %u most %u lost %u invented %u again %u twice %u damaged %u\n",
	       t.images, t.nsample, t.most, t.lost, t.invented, t.again, t.twice, t.damaged);
	return t.lost || t.invented || t.again || t.twice || t.damaged;
}
