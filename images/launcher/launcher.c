/* Runs one executor of a task inside a pod, and tells how it ended; docs/launcher.md says what a pod must look like.

   launcher [--unsafe-without-landlock] SECONDS CONTROL VOLUME...

   It is the first process of the executor's container, waits SECONDS for CONTROL/order, and leaves CONTROL/ended when
   no process of the executor is alive any more. The task may write below the VOLUMEs, which must be in memory; CONTROL
   is the launcher's own. No exit code, no output and no word of the task reaches the kubelet. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DONE = 0, WRONG_USE = 64, OURS = 70 }; /* the launcher's own exit codes: all that a pod's status ever tells */
enum { NOT_OPENED = 126, NOT_FOUND = 127 };
enum { PAUSE = 5 }; /* ms */
static const char *const STREAMS[] = {"stdin", "stdout", "stderr"};

/* How it ended: `cause` is NULL as long as it did not. */
struct end {
    const char *cause, *reason;
    int exit_code, signal; /* -1 when there is none */
    long long start, end;  /* since 1970, ms */
};

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void ours(struct end *end, const char *reason) {
    end->cause = "system";
    end->reason = reason;
}

/* The kubelet asks for the end by SIGTERM; a task has no say in it: its own processes have numbers here. */
static int is_canceled(int signals) {
    struct signalfd_siginfo found;
    int canceled = 0;
    while (read(signals, &found, sizeof found) == sizeof found)
        canceled |= found.ssi_signo == SIGTERM && found.ssi_pid == 0;
    return canceled;
}

static void wait_for(const char *path, long long until, int signals, struct end *end) {
    struct pollfd watched = {signals, POLLIN, 0};
    while (access(path, F_OK) != 0) {
        if (now(CLOCK_MONOTONIC) >= until)
            end->cause = "deadline";
        else if (poll(&watched, 1, PAUSE) > 0 && is_canceled(signals))
            end->cause = "canceled";
        else
            continue;
        return;
    }
}

static int says_run(const char *ended) {
    char text[16] = "";
    int file = open(ended, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    close(file);
    return length > 0 && strncmp(text, "next=run\n", 9) == 0;
}

/* In the child: everything that the task must not keep is given up before a path of its choice is opened. */
static _Noreturn void become(const struct order *order, char *const volumes[], int landlock, int pipes[3], int told) {
    int code = 0;
    sigset_t none;
    sigemptyset(&none);
    struct rlimit file = {(rlim_t)order->file_bytes, (rlim_t)order->file_bytes};
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) || setrlimit(RLIMIT_FSIZE, &file) ||
        (landlock && write_only_below(order->below[0] ? order->below : volumes)))
        code = OURS;
    for (int n = 0; n < 3 && !code; n++) {
        int stream = pipes[n];
        struct stat found;
        if (order->streams[n]) {
            int flags = n == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
            stream = open(order->streams[n], flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
            if (stream < 0 || fstat(stream, &found) || !S_ISREG(found.st_mode))
                code = NOT_OPENED; /* an executor before may have put a FIFO there */
        }
        if (!code && stream >= 0 && dup2(stream, n) < 0)
            code = OURS;
    }
    if (!code && chdir(order->workdir))
        code = NOT_OPENED;
    if (!code) {
        environ = order->env; /* nothing of the pod's own variables */
        execvp(order->argv[0], order->argv);
        code = errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : NOT_OPENED;
    }
    unsigned char said = (unsigned char)code;
    if (write(told, &said, 1) != 1)
        _exit(OURS);
    _exit(code);
}

/* Takes what is there; what exceeds the cap is thrown away, a task never blocks on it. Returns 0 at the end. */
static int drain(int from, int into, long long *left) {
    char piece[1 << 16];
    ssize_t length = read(from, piece, sizeof piece);
    ssize_t kept = length < *left ? length : (ssize_t)*left;
    if (kept > 0) {
        ssize_t written = write(into, piece, (size_t)kept);
        *left = written == kept ? *left - kept : 0;
    }
    return length > 0 || (length < 0 && errno == EAGAIN);
}

static void watch(pid_t child, const struct order *order, int signals, int pipes[3], int logs[3], struct end *end) {
    struct pollfd watched[] = {{signals, POLLIN, 0}, {pipes[1], POLLIN, 0}, {pipes[2], POLLIN, 0}};
    long long left[] = {0, order->log_bytes, order->log_bytes};
    int status = 0, over = 0;
    while (!over) {
        long long wait = order->deadline - now(CLOCK_MONOTONIC);
        if (wait <= 0) {
            end->cause = "deadline";
            break;
        }
        poll(watched, 3, wait < 60000 ? (int)wait : 60000);
        for (int n = 1; n < 3; n++)
            if (watched[n].revents && !drain(pipes[n], logs[n], &left[n]))
                watched[n].fd = -1;
        if (watched[0].revents && is_canceled(signals)) {
            end->cause = "canceled";
            break;
        }
        for (pid_t found; !over && (found = waitpid(-1, &status, WNOHANG)) > 0;)
            over = found == child;
    }
    /* We are the first process of this namespace: nothing hides from this, and `seal` may start when it is done. */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    for (int n = 1; n < 3; n++)
        while (fcntl(pipes[n], F_SETFL, 0) == 0 && drain(pipes[n], logs[n], &left[n]))
            ;
    if (end->cause)
        return;
    end->cause = WIFSIGNALED(status) ? "signal" : "exited";
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (end->exit_code != 0 && was_out_of_memory())
        end->cause = "out_of_memory";
}

static void run(const struct order *order, char *const volumes[], int landlock, int signals, struct end *end) {
    int reading[3] = {-1, -1, -1}, writing[3] = {-1, -1, -1}, logs[3] = {-1, -1, -1}, told[2];
    for (int n = 1; n < 3; n++) {
        int ends[2];
        logs[n] = open(STREAMS[n], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (logs[n] < 0 || pipe2(ends, O_CLOEXEC)) {
            ours(end, "logs");
            return;
        }
        reading[n] = ends[0], writing[n] = ends[1];
        fcntl(reading[n], F_SETFL, O_NONBLOCK);
    }
    end->start = now(CLOCK_REALTIME);
    pid_t child = pipe2(told, O_CLOEXEC) ? -1 : fork();
    if (child == 0)
        become(order, volumes, landlock, writing, told[1]);
    close(writing[1]), close(writing[2]), close(told[1]);
    if (child < 0) {
        ours(end, "fork");
        return;
    }
    watch(child, order, signals, reading, logs, end);
    unsigned char said = 0;
    if (read(told[0], &said, 1) == 1 && said == OURS)
        ours(end, "child");
}

static int may_go_on(const struct order *order, const struct end *end) {
    if (strcmp(end->cause, "exited") != 0 && strcmp(end->cause, "signal") != 0)
        return 0;
    return end->exit_code == 0 || order->ignore_error == 1;
}

static long long milliseconds(const struct rusage *used) {
    return (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000LL +
           (used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1000;
}

/* One rename, so that nobody ever reads half of it. */
static int tell(const struct order *order, struct end *end) {
    int file = open("ended.part", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file < 0)
        return -1;
    end->end = now(CLOCK_REALTIME);
    struct rusage used = {0};
    getrusage(RUSAGE_CHILDREN, &used); /* we adopted and reaped all of them */
    dprintf(file, "next=%s\ncause=%s\n", may_go_on(order, end) ? "run" : "stop", end->cause);
    if (end->exit_code >= 0)
        dprintf(file, "exit_code=%d\n", end->exit_code);
    if (end->signal >= 0)
        dprintf(file, "signal=%d\n", end->signal);
    if (end->reason)
        dprintf(file, "reason=%s\n", end->reason);
    if (end->start)
        dprintf(file, "start=%lld\nend=%lld\ncpu_ms=%lld\npeak_kib=%ld\n", end->start, end->end, milliseconds(&used),
                used.ru_maxrss);
    return dprintf(file, "end\n") < 0 || close(file) || rename("ended.part", "ended");
}

static void obey(struct order *order, char *const volumes[], int landlock, long long until, struct end *end) {
    sigset_t ours_to_see;
    sigemptyset(&ours_to_see);
    sigaddset(&ours_to_see, SIGCHLD);
    sigaddset(&ours_to_see, SIGTERM);
    int signals = signalfd(-1, &ours_to_see, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || sigprocmask(SIG_BLOCK, &ours_to_see, NULL)) {
        ours(end, "signals");
        return;
    }
    wait_for("order", until, signals, end);
    if (end->cause)
        return;
    if (read_order("order", order)) {
        ours(end, "order");
        return;
    }
    if (order->after)
        wait_for(order->after, order->deadline, signals, end);
    if (!end->cause && order->after && !says_run(order->after))
        end->cause = "skipped";
    if (!end->cause)
        run(order, volumes, landlock, signals, end);
}

int main(int count, char **words) {
    struct order order = {0};
    struct end end = {.exit_code = -1, .signal = -1};
    if (be_opaque() || be_silent() || refuse_calls())
        return OURS;
    int landlock = !(count > 1 && strcmp(words[1], "--unsafe-without-landlock") == 0);
    char **given = words + 1 + !landlock; /* SECONDS CONTROL VOLUME... */
    if (words + count - given < 3 || getpid() != 1)
        return WRONG_USE; /* in a shared namespace of processes, kill(-1) would reach others */
    for (char **folder = given + 1; *folder; folder++)
        if (!is_in_memory(*folder))
            return WRONG_USE;
    umask(022);
    if (chdir(given[1]))
        return OURS;
    if (landlock && write_only_below(given + 1))
        ours(&end, "landlock");
    else
        obey(&order, given + 2, landlock, now(CLOCK_MONOTONIC) + 1000LL * atoll(given[0]), &end);
    if (tell(&order, &end))
        return OURS;
    return strcmp(end.cause, "system") == 0 ? OURS : DONE;
}
