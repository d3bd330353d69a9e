/* Puts up the launcher's walls: no memory to read, no stream to the container's log, no network, no file elsewhere. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#error "no filter for this machine"
#endif

/* T9: whoever may read or trace the launcher speaks with its rights. */
int be_opaque(void) {
    struct rlimit no_dump = {1, 1}; /* 0 would still feed a core handler behind a pipe */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &no_dump) ? -1 : 0;
}

/* The container's streams lead to a file on the node; nothing here or below may hold one. */
int be_silent(void) {
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0)
        return -1;
    for (int stream = 0; stream < 3; stream++)
        if (dup2(nothing, stream) < 0)
            return -1;
    return close_range(3, ~0U, 0);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define UNLESS_EQUAL(value, jump) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (jump))
#define REFUSE_WITH(call, code) UNLESS_EQUAL(call, 1), RETURN(SECCOMP_RET_ERRNO | (code))
#define REFUSE(call) REFUSE_WITH(__NR_##call, EPERM)
#define SETXATTRAT 463 /* Linux 6.13, newer than our headers */
#define LAST_KNOWN 467 /* as in sandbox/syscalls.py */
#define ONLY_UNIX(call) \
    UNLESS_EQUAL(__NR_##call, 4), LOAD(args[0]), /* the low word: both machines are little-endian, a family is an int */ \
    UNLESS_EQUAL(AF_UNIX, 1), RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT)

/* On top of the node's RuntimeDefault, which `stage` has too: what would reach the network, reach round this filter, or
   leave words where Landlock has no right to refuse: at a file that is open for reading only, in the node's keyrings. */
int refuse_calls(void) {
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS), /* i386 and 32-bit ARM have other numbers */
        LOAD(nr),
#if defined(__x86_64__)
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS), /* and so has x32 */
#endif
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS), /* nobody knows yet what it writes; programs fall back */
        REFUSE_WITH(__NR_setxattr, EOPNOTSUPP), /* T10: the kubelet's file keeps 64 KiB of them on the node's disk */
        REFUSE_WITH(__NR_lsetxattr, EOPNOTSUPP),
        REFUSE_WITH(__NR_fsetxattr, EOPNOTSUPP),
        REFUSE_WITH(SETXATTRAT, EOPNOTSUPP),
        REFUSE(add_key), /* keyrings are the node's, one for all pods of a uid */
        REFUSE(request_key),
        REFUSE(keyctl),
        REFUSE(io_uring_setup),
        REFUSE(io_uring_enter),
        REFUSE(io_uring_register),
        REFUSE(ptrace),
        REFUSE(process_vm_readv),
        REFUSE(process_vm_writev),
        REFUSE(pidfd_getfd),
        UNLESS_EQUAL(__NR_ioctl, 8), LOAD(args[1]), /* a file's flags, project and version: words of up to 8 bytes */
        REFUSE_WITH(FS_IOC_SETFLAGS, EOPNOTSUPP),
        REFUSE_WITH(FS_IOC_FSSETXATTR, EOPNOTSUPP),
        REFUSE_WITH(FS_IOC_SETVERSION, EOPNOTSUPP),
        RETURN(SECCOMP_RET_ALLOW),
        ONLY_UNIX(socket),
        ONLY_UNIX(socketpair),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* A folder on the node's disk is no place for plaintext, whatever the pod's spec calls it. */
int is_in_memory(const char *folder) {
    struct statfs found;
    return statfs(folder, &found) == 0 && found.f_type == TMPFS_MAGIC;
}

/* Whether the kernel ever killed a process of this container for its memory: cgroup 2, then 1. */
int was_out_of_memory(void) {
    static const char *const counters[] = {"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"};
    for (size_t n = 0; n < sizeof counters / sizeof *counters; n++) {
        char text[1024] = "";
        int file = open(counters[n], O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
        close(file);
        const char *line = length > 0 ? strstr(text, "oom_kill ") : NULL;
        if (line && line[strlen("oom_kill ")] != '0')
            return 1;
    }
    return 0;
}

/* Newer than the headers of Debian 12: linux/landlock.h of Linux 6.2 (truncate), 6.7 (net) and 6.12 (scoped). */
struct ruleset {
    uint64_t files, net, scoped;
};
#define TRUNCATE (1ULL << 14)
#define EVERY_WRITE \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

static int allow(int ruleset, const char *path, int flags, uint64_t rights) {
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights};
    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW | flags);
    if (beneath.parent_fd < 0)
        return -1;
    int failed = (int)syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    close(beneath.parent_fd);
    return failed;
}

/* T10: the kubelet's file for a termination message lies on the node and is writable for all. */
int write_only_below(char *const folders[]) {
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return -1;
    struct ruleset rules = {.files = EVERY_WRITE};
    if (version >= 2)
        rules.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rules.files |= TRUNCATE;
    if (version >= 4)
        rules.net = 1 | 2; /* bind and connect TCP */
    if (version >= 6)
        rules.scoped = 1 | 2; /* abstract sockets and signals to the outside */
    int ruleset = (int)syscall(__NR_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset < 0)
        return -1;
    int failed = 0;
    for (char *const *folder = folders; *folder; folder++)
        failed |= allow(ruleset, *folder, O_DIRECTORY, rules.files);
    failed |= allow(ruleset, "/dev/null", 0, rules.files & (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE));
    failed |= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    failed |= (int)syscall(__NR_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return failed ? -1 : 0;
}
