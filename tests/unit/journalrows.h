static void rows(void) {}
