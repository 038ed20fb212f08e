/* SPDX-License-Identifier: ISC */
#ifndef INIT_BOOT_H
#define INIT_BOOT_H

/* The life of PID 1: brings the machine up, keeps it up, takes it down. On a machine it
 * never returns and never gives up; in a container it returns the exit status after an
 * orderly stop. */
int boot_run(void);

#endif
