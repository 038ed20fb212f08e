/* SPDX-License-Identifier: ISC */
/* check.mx, with a dns that says what the input says. */
#define FUZZ_MX 1
#include "tests/fuzz/check.c"
#include "tests/unit/wires.h" /* the build looks for this line */
