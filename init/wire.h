/* SPDX-License-Identifier: ISC */
#ifndef INIT_WIRE_H
#define INIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Socket pairs (SOCK_SEQPACKET, close-on-exec) and messages with descriptors on them. */

bool wire_pair(int fd[2]); /* false: errno says why */
bool wire_unblock(int fd);
/* A pair for one channel: does not block, either direction holds `credit` messages of the
 * largest size. */
bool wire_channel(uint32_t credit, int fd[2]);
/* Sends one control message with n descriptors, which stay the caller's. False: the process
 * is gone or does not read its control channel. */
bool wire_send(int control, const void *msg, size_t size, const int *fd, unsigned n);

#endif
