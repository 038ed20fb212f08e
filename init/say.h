/* SPDX-License-Identifier: ISC */
#ifndef INIT_SAY_H
#define INIT_SAY_H

#include <stdbool.h>

/*
 * init's own log lines, straight to the console, and to a second one where the kernel has two (the screen beside a
 * serial line): `init: ` and the formatted text, one write a line. A console that takes nothing (flow control, a reader
 * that stalls) costs a line, never the machine.
 */
void say_open(bool machine); /* machine: CONFIG_INIT_CONSOLE; else descriptor 2 as inherited */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line that ends in the reason of the last failed system call. */
void say_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* From now on every line goes there, too (the writing end of a tap, non-blocking). */
void say_also(int tap);
/* A new descriptor of the console for the log process; -1 = there is none. */
int say_console(void);
int say_screen(void); /* the same of the second console */
/* What is typed there, whole lines of it; in a container what its standard input is. -1 = nothing. */
int say_input(bool machine);

#endif
