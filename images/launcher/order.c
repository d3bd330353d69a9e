/* Reads an order: what `stage` wants of one executor; docs/launcher.md has the fields. */
#define _GNU_SOURCE
#include "launcher.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES (4 << 20) /* more than the kernel takes as arguments and environment */
#define MOST_DIGITS 15

/* Every field is `name=value` and a zero byte; the first and the last say what this is and that it is whole. */
static const char FIRST[] = "strongroom order 1", LAST[] = "end";

static char *whole(const char *path, size_t *length) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat found;
    if (file < 0 || fstat(file, &found) || !S_ISREG(found.st_mode) || found.st_size < 1 || found.st_size > MOST_BYTES)
        return NULL;
    char *text = malloc((size_t)found.st_size);
    *length = (size_t)found.st_size;
    for (size_t have = 0; text && have < *length;) {
        ssize_t more = read(file, text + have, *length - have);
        if (more <= 0)
            return NULL;
        have += (size_t)more;
    }
    close(file);
    return text && text[*length - 1] == '\0' ? text : NULL;
}

static int number(const char *value, long long *into) {
    size_t digits = strspn(value, "0123456789");
    if (*into >= 0 || digits == 0 || digits > MOST_DIGITS || value[digits])
        return -1; /* given twice, or no number */
    *into = strtoll(value, NULL, 10);
    return 0;
}

static int once(const char *value, const char **into) {
    if (*into || *value != '/')
        return -1; /* given twice, or relative to we do not know what */
    *into = value;
    return 0;
}

/* T26: nobody tells the dynamic loader or our own programs anything through a task's variables. */
static int is_variable(const char *text) {
    size_t name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return name > 0 && text[name] == '=' && (text[0] < '0' || text[0] > '9') && strncmp(text, "LD_", 3) != 0 &&
           strncmp(text, "STRONGROOM_", 11) != 0;
}

static int take(const char *name, char *value, struct order *order, char ***argument, char ***variable,
                char ***folder) {
    static const char *const paths[] = {"after", "workdir", "stdin", "stdout", "stderr"};
    const char **const path_of[] = {&order->after, &order->workdir, &order->streams[0], &order->streams[1],
                                    &order->streams[2]};
    static const char *const numbers[] = {"deadline", "log_bytes", "file_bytes", "ignore_error"};
    long long *const number_of[] = {&order->deadline, &order->log_bytes, &order->file_bytes, &order->ignore_error};
    if (strcmp(name, "arg") == 0)
        *(*argument)++ = value;
    else if (strcmp(name, "env") == 0 && is_variable(value))
        *(*variable)++ = value;
    else if (strcmp(name, "below") == 0 && *value == '/')
        *(*folder)++ = value;
    else {
        for (size_t n = 0; n < sizeof paths / sizeof *paths; n++)
            if (strcmp(name, paths[n]) == 0)
                return once(value, path_of[n]);
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
            if (strcmp(name, numbers[n]) == 0)
                return number(value, number_of[n]);
        return -1; /* whatever we do not know may matter */
    }
    return 0;
}

int read_order(const char *path, struct order *order) {
    size_t length, fields = 0;
    char *text = whole(path, &length);
    if (!text)
        return -1;
    for (size_t n = 0; n < length; n++)
        fields += text[n] == '\0';
    *order = (struct order){.deadline = -1, .log_bytes = -1, .file_bytes = -1, .ignore_error = -1};
    char **argument = order->argv = calloc(fields + 1, sizeof(char *));
    char **variable = order->env = calloc(fields + 1, sizeof(char *));
    char **folder = order->below = calloc(fields + 1, sizeof(char *));
    if (!argument || !variable || !folder || strcmp(text, FIRST) != 0)
        return -1;
    char *field = text + strlen(text) + 1, *end = text + length;
    for (; field < end && strcmp(field, LAST) != 0; ) {
        char *next = field + strlen(field) + 1, *value = strchr(field, '=');
        if (!value)
            return -1;
        *value++ = '\0';
        if (take(field, value, order, &argument, &variable, &folder))
            return -1;
        field = next;
    }
    if (field + sizeof LAST != end || !order->argv[0] || !order->argv[0][0] || !order->workdir)
        return -1; /* cut off, or not all of it */
    return order->deadline < 0 || order->log_bytes < 0 || order->file_bytes < 0 || order->ignore_error < 0 ||
                   order->ignore_error > 1
               ? -1
               : 0;
}
