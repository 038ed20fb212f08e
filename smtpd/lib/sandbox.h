/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_SANDBOX_H
#define SMTPD_LIB_SANDBOX_H

#include "init/topology.h"

/*
 * From here the process may make the system calls of its CALLS rows in init/topology.def and no
 * other: a call that is not listed, or one of another architecture, kills the process. No new
 * privileges, no core dump, no tracing; programs with an empty root directory also lose every
 * path where the kernel has Landlock. Threads that exist already are bound too. There is no way
 * back. Built with AddressSanitizer it does nothing: the sanitizer needs more calls.
 */
void sandbox_close(enum program prog);

#endif
