/* SPDX-License-Identifier: ISC */
#ifndef INIT_CTL_H
#define INIT_CTL_H

#include <stdint.h>

#include "init/topology.h"

/*
 * The control channel: descriptor 3 of every process, SOCK_SEQPACKET, the other end held by
 * init. Descriptor 2 is the log (SOCK_SEQPACKET, one line per message). Nothing else is
 * inherited.
 *
 * init speaks first: one CTL_START with the granted descriptors, then a CTL_CHAN for each of
 * the process's channels, again after every restart of a peer.
 */
enum ctl_type {
	CTL_START = 1, /* init -> process: struct ctl_start, descriptors by GRANT rows */
	CTL_CHAN,      /* init -> process: struct ctl_chan, one descriptor */
	CTL_STOP, /* init -> process: finish what is on disk, exit 0 within half of INIT_STOP_TIME */
	CTL_READY,  /* process -> init: sandbox closed, serving */
	CTL_WORKED, /* process -> init, once per life: a request was answered; resets back-off */
	CTL_ACCUSE,  /* process -> init: the peer on `chan` broke the message law */
	CTL_HEALTHY, /* health -> init: everything passed just now */
	CTL_REBOOT,  /* update -> init: start the machine again */
	CTL_KEPT,    /* update -> init: the system that runs is no trial, or none any more */
};

enum {
	CTL_FD = 3,
	CTL_FDS_MAX = 32,
	CTL_BUILD_ID = 32,
	CTL_GRANT_KEY = 32,
};

enum ctl_flag {
	CTL_HAVE_KEYS = 1, /* the key device is there: secrets survive a restart */
	CTL_HAVE_DATA = 2, /* the data device is there: /data is the journal's file system */
	CTL_CONTAINER = 4, /* the network was made outside: a gateway may stand for anybody */
};

struct ctl_start {
	uint32_t type;			  /* CTL_START */
	uint32_t proc;			  /* enum proc_id */
	uint32_t flags;			  /* enum ctl_flag */
	uint32_t nfd;			  /* descriptors attached */
	uint8_t build_id[CTL_BUILD_ID];	  /* zero padded text; differs: the process exits */
	uint8_t grant_key[CTL_GRANT_KEY]; /* auth and check.sub only, else zero */
};

struct ctl_chan {
	uint32_t type;	     /* CTL_CHAN */
	uint32_t chan;	     /* enum chan_id */
	uint32_t generation; /* grows with every wiring of this channel */
};

struct ctl_note { /* all others */
	uint32_t type;
	uint32_t chan; /* CTL_ACCUSE only */
};

#endif
