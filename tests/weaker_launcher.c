/* Takes walls of the launcher away, in tests only: the linker puts these in the place of those that it is told to. */
int __wrap_be_opaque(void) { return 0; }
int __wrap_be_silent(void) { return 0; }
int __wrap_refuse_calls(void) { return 0; }
/* As on a node whose kernel has no Landlock. */
int __wrap_write_only_below(char *const folders[]) { return folders ? -1 : 0; }
