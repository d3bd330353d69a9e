/* Is a job of SLURM for as long as its attempt lives: asks the node's agent to run it, and ends when it is over.

   joiner SOCKET ATTEMPT

   A job's script execs it, so that it is the one process of the job. The agent, of another user, runs the attempt
   behind walls of its own: this process never holds a key, a spec or a word of the task. SIGTERM, which SLURM sends
   before it kills, asks the agent to end the attempt; its death by any other way does so too. The agent's last word is
   an exit code, and its hanging up means that no process of the attempt is alive. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WRONG_USE = 64, NO_AGENT = 69, LOST = 75 }; /* of sysexits.h; others are the agent's */
enum { PATIENCE = 300, PAUSE = 100 };              /* an agent that is started again: tries, and ms between them */

static int reach(const char *path, int signals) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd told = {signals, POLLIN, 0};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    for (int tries = 0; tries < PATIENCE; tries++) {
        int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock < 0)
            return -1;
        if (connect(sock, (struct sockaddr *)&address, sizeof address) == 0)
            return sock;
        close(sock);
        if (poll(&told, 1, PAUSE) > 0)
            return -1;
    }
    return -1;
}

static int says(int sock, const char *attempt) {
    char line[34];
    size_t length = strlen(attempt);
    if (length != 32)
        return 0;
    memcpy(line, attempt, length);
    line[length++] = '\n';
    return send(sock, line, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Returns the exit code that stands on the agent's one line, or LOST when there is none. */
static int code_of(const char *line, size_t length) {
    int code = 0;
    if (length < 2 || length > 4 || line[length - 1] != '\n')
        return LOST;
    for (size_t at = 0; at < length - 1; at++) {
        if (line[at] < '0' || line[at] > '9')
            return LOST;
        code = 10 * code + line[at] - '0';
    }
    return code <= 255 ? code : LOST;
}

int main(int argc, char *argv[]) {
    char line[16];
    size_t length = 0;
    sigset_t ends;
    if (argc != 3)
        return WRONG_USE;
    /* Whoever watches over this job for SLURM is our parent: a job that nobody watches over is none. */
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        return LOST;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    int sock = reach(argv[1], signals);
    if (signals < 0 || sock < 0)
        return NO_AGENT;
    if (!says(sock, argv[2]))
        return LOST;
    struct pollfd watched[] = {{sock, POLLIN, 0}, {signals, POLLIN, 0}};
    for (;;) {
        if (poll(watched, 2, -1) < 0 && errno != EINTR)
            return LOST;
        if (watched[1].revents) {
            shutdown(sock, SHUT_WR); /* no word is lost: the agent's last one still comes */
            watched[1].fd = -1;
            watched[1].revents = 0;
        }
        if (watched[0].revents) {
            ssize_t got = read(sock, line + length, sizeof line - length);
            if (got <= 0)
                return code_of(line, length);
            length += (size_t)got;
            if (length == sizeof line)
                return LOST;
        }
    }
}
