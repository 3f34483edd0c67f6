/* A streaming upstream: POST /v1/chat/completions -> 64 OpenAI chat chunks, a usage chunk and [DONE].
 *
 * usage: sse [PORT]      (0 or none: the system chooses; the port is printed as the first line)
 *
 * Each delta's content is "t=NANOSECONDS;", the CLOCK_MONOTONIC time of its write, so that a reader on the same
 * machine knows what lies between. "pace_us=N" anywhere in the request's body sets the time between deltas
 * (5000 without it; 0 writes them one after the other without waiting). One HTTP chunk and one write per event.
 * One thread and one epoll: up to 1024 connections. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, REQUEST_MAX = 65536, DELTAS = 64, PACE_DEFAULT_US = 5000 };

typedef struct {
    int fd;
    size_t len;
    int sending, next; /* next: 0 role chunk is sent with the head; 1..64 deltas */
    uint64_t due, pace;
    char in[REQUEST_MAX + 1];
} connection;

static connection *all[CONNECTIONS_MAX];
static int count;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int write_all(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno == EAGAIN) {
            /* A reader that lags fills its socket; it is waited for rather than buffered without bound. */
            struct timespec pause = {0, 50000};
            nanosleep(&pause, NULL);
            continue;
        }
        if (done < 0) return -1;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int write_event(int fd, const char *head, const char *data, const char *tail) {
    char out[2048];
    int size = (int)strlen(data) + 8; /* "data: " and two newlines */
    int n = snprintf(out, sizeof out, "%s%x\r\ndata: %s\n\n\r\n%s", head, (unsigned)size, data, tail);
    return write_all(fd, out, (size_t)n);
}

#define CHUNK_HEAD "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000," \
                   "\"model\":\"gpt-4o-mini\",\"choices\":["
#define ANSWER_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n" \
                    "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Advances a stream by one event. Returns 1 at its end, 0 while it goes on, -1 when the reader has gone. */
static int step(connection *c) {
    char data[1024];
    if (c->next == 0) {
        c->next++;
        return write_event(c->fd, ANSWER_HEAD,
                           CHUNK_HEAD "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                                      "\"finish_reason\":null}]}", "");
    }
    if (c->next <= DELTAS) {
        snprintf(data, sizeof data,
                 CHUNK_HEAD "{\"index\":0,\"delta\":{\"content\":\"t=%llu;\"},\"finish_reason\":null}]}",
                 (unsigned long long)now_ns());
        c->next++;
        return write_event(c->fd, "", data, "");
    }
    if (write_event(c->fd, "", CHUNK_HEAD "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", "") < 0) return -1;
    if (write_event(c->fd, "", CHUNK_HEAD "],\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":64,"
                                          "\"total_tokens\":77}}", "") < 0) return -1;
    return write_event(c->fd, "", "[DONE]", "0\r\n\r\n") < 0 ? -1 : 1;
}

/* Length of the first whole request in the buffer, 0 when there is none yet. */
static size_t request_length(connection *c) {
    c->in[c->len] = 0;
    char *body = strstr(c->in, "\r\n\r\n");
    if (!body) return 0;
    size_t head = (size_t)(body + 4 - c->in);
    for (char *line = strstr(c->in, "\r\n"); line && line < body; line = strstr(line + 2, "\r\n")) {
        char *name = line + 2;
        if (strncasecmp(name, "content-length:", 15) == 0) {
            size_t n = strtoul(name + 15, NULL, 10);
            return c->len >= head + n ? head + n : 0;
        }
        if (strncasecmp(name, "transfer-encoding: chunked", 26) == 0) {
            char *end = strstr(body + 2, "\r\n0\r\n\r\n");
            return end ? (size_t)(end + 7 - c->in) : 0;
        }
    }
    return head;
}

static void drop(connection *c) {
    close(c->fd);
    for (int i = 0; i < count; i++) {
        if (all[i] == c) {
            all[i] = all[--count];
            break;
        }
    }
    free(c);
}

static int take_request(connection *c) {
    static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    size_t n;
    while (!c->sending && (n = request_length(c))) {
        char after = c->in[n];
        c->in[n] = 0;
        int chat = strncmp(c->in, "POST ", 5) == 0 && strstr(c->in, "/chat/completions ") != NULL;
        char *pace = strstr(c->in, "pace_us=");
        c->pace = (pace ? strtoull(pace + 8, NULL, 10) : PACE_DEFAULT_US) * 1000;
        c->in[n] = after;
        memmove(c->in, c->in + n, c->len - n);
        c->len -= n;
        if (!chat) {
            if (write_all(c->fd, missing, sizeof missing - 1) < 0) return -1;
            continue;
        }
        c->sending = 1;
        c->next = 0;
        c->due = now_ns();
    }
    return 0;
}

static int receive(connection *c) {
    for (;;) {
        if (c->len == REQUEST_MAX) return -1;
        ssize_t n = recv(c->fd, c->in + c->len, REQUEST_MAX - c->len, 0);
        if (n < 0 && errno == EAGAIN) return take_request(c);
        if (n <= 0) return -1;
        c->len += (size_t)n;
    }
}

/* Writes all that is due; returns the next due time, 0 when nothing is under way. */
static uint64_t run_due(void) {
    uint64_t next = 0;
    for (int i = count - 1; i >= 0; i--) {
        connection *c = all[i];
        while (c->sending && c->due <= now_ns()) {
            int end = step(c);
            if (end < 0) {
                drop(c);
                c = NULL;
                break;
            }
            if (end) {
                c->sending = 0;
                if (take_request(c) < 0) {
                    drop(c);
                    c = NULL;
                    break;
                }
            } else if (c->next > 1) {
                c->due += c->pace;
            }
        }
        if (c && c->sending && (!next || c->due < next)) next = c->due;
    }
    return next;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    socklen_t size = sizeof at;
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 512) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
        perror("listen");
        return 1;
    }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);

    int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        uint64_t due = run_due();
        struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due / 1000000000u),
                                               .tv_nsec = (long)(due % 1000000000u)}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
        struct epoll_event ready[64];
        int n = epoll_wait(poller, ready, 64, -1);
        if (n < 0 && errno != EINTR) return 1;
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) return 1;
            } else if (ready[i].data.ptr == &listener) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                connection *c = count < CONNECTIONS_MAX ? calloc(1, sizeof *c) : NULL;
                if (!c) {
                    close(fd);
                    continue;
                }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c->fd = fd;
                all[count++] = c;
                event = (struct epoll_event){.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
            } else {
                connection *c = ready[i].data.ptr;
                if (receive(c) < 0) drop(c);
            }
        }
    }
}
