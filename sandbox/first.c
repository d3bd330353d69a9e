/* Becomes what its supervisor says, step by step: the process that everything of an executor comes from.

   first LINE PARENT DOOR...

   It joins the cgroups whose DOORs it is given (files cgroup.procs), waits on the socket LINE for a plan, and takes
   its steps until one is `exec`. A plan comes as descriptors beside one byte: the first holds the words of the steps,
   each with a NUL behind it (sandbox/plan.py writes them), the others get the numbers from FIRST on. PARENT is a pidfd
   of the supervisor, in whose namespaces this begins; it holds no key, and nothing of a task runs before `exec`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>

enum { FAILED = 98 };           /* the walls could not be built: sandbox/plan.py knows it too */
enum { FIRST = 64, MOST = 12 }; /* descriptors that come with a plan, the plan itself not counted */

static int line, parent, complaints = -1;
static char **words, **end;

static _Noreturn void fail(const char *what) {
    if (complaints >= 0)
        dprintf(complaints, "The walls could not be built (%s: %s).\n", what, strerror(errno));
    _exit(FAILED);
}

static char *word(void) {
    if (words == end)
        fail("a plan that ends too early");
    return *words++;
}

static long long number(void) {
    char *rest, *text = word();
    errno = 0;
    long long found = strtoll(text, &rest, 10);
    if (errno || !*text || *rest)
        fail("a number of a plan");
    return found;
}

static void checked(long outcome, const char *what) {
    if (outcome < 0)
        fail(what);
}

/* Returns all that a descriptor holds from its start, and its length. */
static char *content(int fd, size_t *length) {
    struct stat found;
    checked(fstat(fd, &found), "fstat");
    char *into = malloc((size_t)found.st_size + 1);
    for (*length = 0; into && *length < (size_t)found.st_size;) {
        ssize_t got = pread(fd, into + *length, (size_t)found.st_size - *length, (off_t)*length);
        if (got <= 0)
            fail("pread");
        *length += (size_t)got;
    }
    return into ? into : (fail("malloc"), NULL);
}

/* The supervisor's last thread closes the line before the kernel looks for whom to send PDEATHSIG to: without the line,
   a child that asks for the signal just then would get none, and live on. getppid tells nothing in a namespace. */
static void die_with_parent(void) {
    struct pollfd signs[] = {{parent, POLLIN, 0}, {line, 0 /* its end alone */, 0}};
    checked(prctl(PR_SET_PDEATHSIG, SIGKILL), "PDEATHSIG");
    if (poll(signs, 2, 0))
        _exit(FAILED);
}

static void gain_no_privileges(void) { checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NO_NEW_PRIVS"); }

static void do_mount(void) {
    const char *source = word(), *target = word(), *kind = word();
    unsigned long flags = (unsigned long)number();
    checked(mount(source, target, kind, flags, word()), "mount");
}

static void do_limit(void) {
    int resource = (int)number();
    rlim_t value = (rlim_t)number(); /* -1 is no limit */
    struct rlimit both = {value, value};
    checked(setrlimit(resource, &both), "setrlimit");
}

static void do_write(void) {
    int fd = open(word(), O_WRONLY | O_CLOEXEC);
    const char *text = word();
    checked(fd, "open");
    checked(write(fd, text, strlen(text)), "write");
    close(fd);
}

static void do_group(void) {
    gid_t real = (gid_t)number(), effective = (gid_t)number(), saved = (gid_t)number();
    checked(setresgid(real, effective, saved), "setresgid");
}

static void do_user(void) {
    uid_t real = (uid_t)number(), effective = (uid_t)number(), saved = (uid_t)number();
    checked(setresuid(real, effective, saved), "setresuid");
}

/* Opens a plain file, and nothing else, below a folder: an earlier executor may have put a link or a FIFO there. */
static void do_stream(void) {
    int stream = (int)number(), folder = open(word(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *path = word();
    struct open_how how = {.flags = (__u64)number() | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC};
    how.mode = how.flags & O_CREAT ? 0644 : 0;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
    int code = (int)number();
    const char *sentence = word();
    int fd = folder < 0 ? -1 : (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) || !S_ISREG(found.st_mode) || dup2(fd, stream) < 0) {
        dprintf(complaints, "%s\n", sentence);
        _exit(code);
    }
    close(fd);
    close(folder);
}

static void do_null(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    checked(fd, "/dev/null");
    checked(dup2(fd, 0), "dup2");
    close(fd);
}

static void do_landlock(void) {
    size_t length;
    const char *rules = content((int)number(), &length);
    gain_no_privileges();
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, rules, length, 0);
    checked(ruleset, "landlock_create_ruleset");
    checked(syscall(SYS_landlock_restrict_self, ruleset, 0), "landlock_restrict_self");
    close(ruleset);
}

static void send_descriptor(int sock, int fd) {
    union {
        char space[CMSG_SPACE(sizeof fd)];
        struct cmsghdr head;
    } beside = {0};
    struct iovec byte = {"l", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
    message.msg_control = &beside;
    message.msg_controllen = sizeof beside;
    beside.head.cmsg_level = SOL_SOCKET;
    beside.head.cmsg_type = SCM_RIGHTS;
    beside.head.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&beside.head), &fd, sizeof fd);
    checked(sendmsg(sock, &message, MSG_NOSIGNAL), "sendmsg");
}

/* Filters this process and all that it starts, and gives away the listener that is asked (sandbox/denials.py). */
static void do_listen(void) {
    size_t length;
    char *code = content((int)number(), &length);
    int witness = (int)number();
    struct sock_fprog program = {(unsigned short)(length / sizeof(struct sock_filter)), (struct sock_filter *)code};
    gain_no_privileges();
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    checked(listener, "seccomp");
    send_descriptor(witness, listener);
    close(listener);
}

static _Noreturn void do_exec(void) {
    const char *program = word();
    size_t count = (size_t)number();
    char **environment = calloc(count + 1, sizeof *environment);
    for (size_t n = 0; environment && n < count; n++)
        environment[n] = word();
    if (!environment || words == end)
        fail("exec");
    /* What a supervisor without root handed on to us is for our mounts. */
    checked(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT");
    die_with_parent(); /* last: a change of credentials forgets it */
    execve(program, words, environment);
    fail("execve");
}

static void step(const char *name) {
    if (!strcmp(name, "complain"))
        complaints = (int)number();
    else if (!strcmp(name, "mount"))
        do_mount();
    else if (!strcmp(name, "unshare"))
        checked(unshare((int)number()), name);
    else if (!strcmp(name, "limit"))
        do_limit();
    else if (!strcmp(name, "write"))
        do_write();
    else if (!strcmp(name, "no-groups"))
        checked(setgroups(0, NULL), name);
    else if (!strcmp(name, "group"))
        do_group();
    else if (!strcmp(name, "user"))
        do_user();
    else if (!strcmp(name, "stream"))
        do_stream();
    else if (!strcmp(name, "null"))
        do_null();
    else if (!strcmp(name, "place")) {
        int fd = (int)number();
        checked(dup2(fd, (int)number()), name);
    } else if (!strcmp(name, "landlock"))
        do_landlock();
    else if (!strcmp(name, "listen"))
        do_listen();
    else if (!strcmp(name, "shut"))
        checked(syscall(SYS_close_range, 3U, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */), name);
    else if (!strcmp(name, "keep"))
        checked(fcntl((int)number(), F_SETFD, 0), name);
    else if (!strcmp(name, "exec"))
        do_exec();
    else
        fail("a step that is none");
}

/* Returns a descriptor that is not among those which a plan's get the numbers of. */
static int aside(int fd) {
    return fd >= FIRST && fd < FIRST + MOST ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST + MOST) : fd;
}

/* Waits for a plan; returns the descriptor of its words. */
static int plan(void) {
    int fds[MOST + 1];
    union {
        char space[CMSG_SPACE(sizeof fds)];
        struct cmsghdr head;
    } beside;
    char byte;
    struct iovec into = {&byte, 1};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1};
    message.msg_control = &beside;
    message.msg_controllen = sizeof beside;
    if (recvmsg(line, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message) ||
        message.msg_flags & MSG_CTRUNC)
        _exit(FAILED);
    size_t count = (beside.head.cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(&beside.head), count * sizeof *fds);
    for (size_t n = 0; n < count; n++)
        fds[n] = aside(fds[n]);
    for (size_t n = 1; n < count; n++)
        if (dup3(fds[n], FIRST - 1 + (int)n, O_CLOEXEC) < 0)
            _exit(FAILED);
    return fds[0];
}

static void read_words(int fd) {
    size_t length, count = 0;
    char *text = content(fd, &length), *last = text + length;
    for (const char *at = text; at < last; at++)
        count += !*at;
    words = calloc(count + 1, sizeof *words); /* NULL behind the last: what `exec` leaves is an argv */
    if (!words || !length || last[-1])
        _exit(FAILED);
    end = words;
    for (char *at = text; at < last; at += strlen(at) + 1)
        *end++ = at;
}

int main(int argc, char *argv[]) {
    if (argc < 3 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return FAILED;
    line = aside(atoi(argv[1]));
    parent = aside(atoi(argv[2]));
    die_with_parent();
    for (char **door = argv + 3; *door; door++) {
        int fd = open(*door, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            return FAILED;
        close(fd);
    }
    read_words(plan());
    for (;;)
        step(word());
}
