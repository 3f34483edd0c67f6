/* Closed-loop HTTP/1.1 load at low concurrency, with exact percentiles.
 *
 * usage: probe PORT REQUEST_FILE CONNECTIONS SECONDS
 *
 * Sends the bytes of REQUEST_FILE over CONNECTIONS kept-alive connections to 127.0.0.1:PORT, each time
 * reading the whole answer before the next request, and prints one JSON object. Every sample is kept:
 * percentiles are ranks, not histogram buckets. Where the body carries "t=NANOSECONDS;" (sse.c puts the
 * CLOCK_MONOTONIC time of sending into each delta) the time from there to here is recorded as transit.
 * Exit status: 0 measured, 1 nothing answered, 2 bad call. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, CONNECTIONS_MAX = 1024, STALL_MS = 20000 };

typedef struct {
    uint64_t *at;
    size_t count, room;
} samples;

typedef enum { HEAD, BODY_LENGTH, BODY_EOF, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, DONE } phase;

typedef struct {
    int fd;
    phase phase;
    char head[HEAD_MAX + 1];
    size_t head_len;
    uint64_t left;     /* bytes left of the body or of the chunk */
    size_t line_len;   /* length of the chunk-size or trailer line so far */
    int in_extension;  /* after the ';' of a chunk-size line */
    int status, close_after;
    int stamp_state;   /* 0 nothing, 1 saw 't', 2 reading digits */
    uint64_t stamp, started;
    int first_seen;
    size_t deltas;
    int fresh;         /* no answer yet on this connection */
} connection;

static samples total, first, transit;
static uint64_t answered, errors, reconnects, deltas_seen, streams_short;
static char *request;
static size_t request_len;
static struct sockaddr_in target;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void keep(samples *s, uint64_t value) {
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 65536;
        s->at = realloc(s->at, s->room * sizeof *s->at);
        if (!s->at) abort();
    }
    s->at[s->count++] = value;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void body_bytes(connection *c, const char *p, size_t n, uint64_t now) {
    if (n && !c->first_seen) {
        c->first_seen = 1;
        keep(&first, now - c->started);
    }
    for (size_t i = 0; i < n; i++) {
        char ch = p[i];
        if (c->stamp_state == 2) {
            if (isdigit((unsigned char)ch)) {
                c->stamp = c->stamp * 10 + (uint64_t)(ch - '0');
                continue;
            }
            /* A stamp is longer than any number that the JSON around it may hold after "t=". */
            if (ch == ';' && c->stamp > 1000000 && c->stamp <= now) {
                keep(&transit, now - c->stamp);
                c->deltas++;
                deltas_seen++;
            }
            c->stamp_state = 0;
        } else if (c->stamp_state == 1 && ch == '=') {
            c->stamp_state = 2;
            c->stamp = 0;
            continue;
        }
        c->stamp_state = ch == 't' ? 1 : 0;
    }
}

static const char *header(connection *c, const char *name) {
    size_t len = strlen(name);
    for (char *line = strstr(c->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            while (*line == ' ') line++;
            return line;
        }
    }
    return NULL;
}

static void head_done(connection *c) {
    c->head[c->head_len] = 0;
    c->status = c->head_len > 12 ? atoi(c->head + 9) : 0;
    if (c->status != 200 && errors == 0) fprintf(stderr, "%.*s", (int)c->head_len, c->head);
    const char *v = header(c, "connection");
    c->close_after = v && strncasecmp(v, "close", 5) == 0;
    if ((v = header(c, "transfer-encoding")) && strncasecmp(v, "chunked", 7) == 0) {
        c->phase = CHUNK_SIZE;
        c->left = c->line_len = 0;
        c->in_extension = 0;
    } else if ((v = header(c, "content-length"))) {
        c->left = strtoull(v, NULL, 10);
        c->phase = c->left ? BODY_LENGTH : DONE;
    } else {
        c->phase = BODY_EOF;
    }
}

static void feed(connection *c, const char *p, size_t n, uint64_t now) {
    while (n && c->phase != DONE) {
        size_t take = 1;
        switch (c->phase) {
        case HEAD:
            if (c->head_len == HEAD_MAX) abort();
            c->head[c->head_len++] = *p;
            if (c->head_len >= 4 && memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) == 0) head_done(c);
            break;
        case BODY_EOF:
            take = n;
            body_bytes(c, p, n, now);
            break;
        case BODY_LENGTH:
        case CHUNK_DATA:
            take = c->left < n ? (size_t)c->left : n;
            body_bytes(c, p, take, now);
            if (c->status != 200 && errors == 0) fprintf(stderr, "%.*s\n", (int)take, p);
            c->left -= take;
            if (!c->left) {
                c->line_len = 0;
                c->phase = c->phase == BODY_LENGTH ? DONE : CHUNK_END;
            }
            break;
        case CHUNK_SIZE:
            if (*p == '\n') {
                c->line_len = 0;
                c->in_extension = 0;
                c->phase = c->left ? CHUNK_DATA : TRAILER;
            } else if (*p == ';') {
                c->in_extension = 1;
            } else if (!c->in_extension && isxdigit((unsigned char)*p)) {
                int digit = isdigit((unsigned char)*p) ? *p - '0' : (tolower((unsigned char)*p) - 'a' + 10);
                c->left = c->left * 16 + (uint64_t)digit;
            }
            break;
        case CHUNK_END:
            if (*p == '\n') {
                c->left = 0;
                c->phase = CHUNK_SIZE;
            }
            break;
        case TRAILER:
            if (*p == '\n') {
                if (c->line_len == 0) c->phase = DONE;
                c->line_len = 0;
            } else if (*p != '\r') {
                c->line_len++;
            }
            break;
        case DONE:
            break;
        }
        p += take;
        n -= take;
    }
}

static int open_connection(connection *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&target, sizeof target) < 0) {
        if (c->fd >= 0) close(c->fd);
        c->fd = -1;
        return -1;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fresh = 1;
    return 0;
}

static int send_request(connection *c) {
    c->phase = HEAD;
    c->head_len = c->line_len = 0;
    c->stamp_state = c->first_seen = c->in_extension = 0;
    c->deltas = 0;
    c->status = 0;
    c->started = now_ns();
    for (size_t sent = 0; sent < request_len;) {
        ssize_t n = send(c->fd, request + sent, request_len - sent, MSG_NOSIGNAL);
        if (n < 0) return -1;
        sent += (size_t)n;
    }
    return 0;
}

static void reopen(connection *c) {
    if (c->fd >= 0) close(c->fd);
    reconnects++;
    if (open_connection(c) < 0 || send_request(c) < 0) {
        fprintf(stderr, "cannot reconnect: %s\n", strerror(errno));
        exit(1);
    }
}

static void finished(connection *c, uint64_t now) {
    if (c->status == 200) {
        answered++;
        keep(&total, now - c->started);
        if (c->deltas != 0 && c->deltas != 64) streams_short++;
    } else {
        errors++;
    }
    c->fresh = 0;
}

static void print_percentiles(const char *name, samples *s) {
    qsort(s->at, s->count, sizeof *s->at, ascending);
    printf(",\"%s\":{\"count\":%zu", name, s->count);
    static const struct { const char *key; double rank; } ranks[] = {
        {"p50", .50}, {"p90", .90}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    for (size_t i = 0; s->count && i < sizeof ranks / sizeof *ranks; i++) {
        size_t k = (size_t)(ranks[i].rank * (double)(s->count - 1) + .5);
        printf(",\"%s\":%.3f", ranks[i].key, (double)s->at[k] / 1e3);
    }
    printf("}");
}

int main(int argc, char **argv) {
    int want = argc == 5 ? atoi(argv[3]) : 0;
    if (want < 1 || want > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: probe PORT REQUEST_FILE CONNECTIONS SECONDS\n");
        return 2;
    }
    FILE *f = fopen(argv[2], "rb");
    if (!f) {
        perror(argv[2]);
        return 2;
    }
    fseek(f, 0, SEEK_END);
    request_len = (size_t)ftell(f);
    rewind(f);
    request = malloc(request_len + 1);
    if (!request || fread(request, 1, request_len, f) != request_len) return 2;
    fclose(f);
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)atoi(argv[1]));
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    connection *all = calloc((size_t)want, sizeof *all);
    struct pollfd *polled = calloc((size_t)want, sizeof *polled);
    char *buffer = malloc(262144);
    if (!all || !polled || !buffer) return 2;
    uint64_t begin = now_ns(), end = begin + (uint64_t)(atof(argv[4]) * 1e9);
    for (int i = 0; i < want; i++) {
        if (open_connection(&all[i]) < 0 || send_request(&all[i]) < 0) {
            perror("connect");
            return 1;
        }
    }
    /* Requests under way at the end are read to their end, so that slow answers are not left out. */
    int open = want;
    while (open) {
        for (int i = 0; i < want; i++) polled[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
        int ready = poll(polled, (nfds_t)want, STALL_MS);
        if (ready <= 0) {
            fprintf(stderr, "no byte for %d ms\n", STALL_MS);
            errors += (uint64_t)open;
            break;
        }
        for (int i = 0; i < want; i++) {
            connection *c = &all[i];
            if (c->fd < 0 || !(polled[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
            ssize_t n = recv(c->fd, buffer, 262144, 0);
            uint64_t now = now_ns();
            int ended = n <= 0;
            if (ended && c->phase == BODY_EOF) {
                c->phase = DONE;
            } else if (ended) {
                /* A server may close an idle kept-alive connection under our request; anything else is an error. */
                if (c->fresh || c->phase != HEAD || c->head_len) errors++;
                if (errors > 1000) {
                    fprintf(stderr, "too many errors\n");
                    return 1;
                }
                if (now < end) {
                    reopen(c);
                } else {
                    close(c->fd);
                    c->fd = -1;
                    open--;
                }
                continue;
            } else {
                feed(c, buffer, (size_t)n, now);
            }
            if (c->phase != DONE) continue;
            finished(c, now);
            if (now >= end) {
                close(c->fd);
                c->fd = -1;
                open--;
            } else if (ended || c->close_after || send_request(c) < 0) {
                reopen(c);
            }
        }
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    printf("{\"connections\":%d,\"seconds\":%.3f,\"requests\":%llu,\"errors\":%llu,\"reconnects\":%llu,"
           "\"deltas\":%llu,\"short_streams\":%llu,\"rate\":%.1f",
           want, seconds, (unsigned long long)answered, (unsigned long long)errors, (unsigned long long)reconnects,
           (unsigned long long)deltas_seen, (unsigned long long)streams_short, (double)answered / seconds);
    print_percentiles("total_us", &total);
    print_percentiles("first_us", &first);
    print_percentiles("transit_us", &transit);
    printf("}\n");
    return answered ? 0 : 1;
}
