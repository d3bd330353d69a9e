/* What the parts of the launcher know of each other; launcher.c says what it is for. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stddef.h>

/* order.c: what `stage` wants of one executor. */
struct order {
    const char *after;      /* the `ended` of the executor before, or NULL for the first */
    const char *workdir;
    const char *streams[3]; /* NULL: stdin is empty, what the others write is captured */
    long long deadline;     /* of the whole task, CLOCK_MONOTONIC, ms */
    long long log_bytes;    /* most that is kept of each captured stream */
    long long file_bytes;   /* most that any one file of the task may hold */
    long long ignore_error; /* 1: whoever comes after runs although this one failed */
    char **argv, **env;
    char **below; /* the only folders that the command may write below; empty: all volumes */
};
int read_order(const char *path, struct order *order);

/* walls.c: each holds from then on, for this process and all that come of it; 0, or -1 when it cannot be put up. */
int be_opaque(void);
int be_silent(void);
int refuse_calls(void);
int is_in_memory(const char *folder);
int was_out_of_memory(void);
int write_only_below(char *const folders[]);

#endif
