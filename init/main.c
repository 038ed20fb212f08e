/* SPDX-License-Identifier: ISC */
#include "init/boot.h"

int main(void)
{
	return boot_run();
}
