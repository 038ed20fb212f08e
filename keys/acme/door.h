/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_DOOR_H
#define KEYS_ACME_DOOR_H

#include <http_parser.h>

#include "smtpd/lib/stream.h"
#include "smtpd/msg/holder.h"

/*
 * The port that strangers can connect to while a challenge waits for its validation, and at no other time: 80 with one
 * file (RFC 8555 8.3), or 443 with one certificate (RFC 8737). Where all places are taken the oldest client gives way.
 */
enum { DOOR_CLIENTS = 12, DOOR_MS = 10 * 1000, DOOR_TEXT = 192, DOOR_PATH = 256 };

struct door;

struct door_client {
	struct door *door;
	uint64_t number; /* counted up */
	struct stream s;
	http_parser parser;
	uint8_t in[1024], out[512], path_mem[DOOR_PATH];
	struct buf path;
	bool answered, get;
	struct tls *tls; /* owned */
};

struct door {
	struct loop *loop;
	struct watch listen; /* fd: of init, bound; watched while open */
	bool open, tls;
	struct chan *holder;
	char token[DOOR_TEXT + 1], text[DOOR_TEXT + 1];
	struct tls_identity identity;
	uint8_t cert[HOLDER_CERT_TAIL];
	uint64_t admitted;
	struct door_client client[DOOR_CLIENTS];
};

enum { DOOR_WATCHES = 1 + DOOR_CLIENTS };

/* fd: bound and not listening, or left so by the process before; memory for TLS is reserved when tls is set. */
void door_init(struct door *d, struct loop *l, int fd, bool tls, struct chan *holder);
/* Port 80: GET /.well-known/acme-challenge/TOKEN is answered with text, all else with 404. */
bool door_open_file(struct door *d, const char *token, const char *text);
/* Port 443: cert, in the form of HOLDER_CERT's product, for those who ask for acme-tls/1. */
bool door_open_cert(struct door *d, struct slice cert);
/* Connections end, and the port refuses further ones. */
void door_close(struct door *d);

#endif
