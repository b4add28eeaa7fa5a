/* Follow the public trades and the best bid and ask of a running session from C, read-only.
 *
 *   .venv/bin/python -m shm.header > ringmaker.h      (or take the one in this folder)
 *   cc -std=c11 -O2 -o attach_example attach_example.c && ./attach_example [SESSION] [TRADES]
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ringmaker.h"

#define QUIET_S_MAX 20

static const struct rm_header *attach(const char *session, const char *segment, int64_t kind, int64_t layout_hash) {
    char path[256];
    struct stat found;
    void *memory = MAP_FAILED;
    int fd;

    snprintf(path, sizeof path, "/dev/shm/ringmaker.%ld.%s.%s", (long)getuid(), session, segment);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &found) == 0 && found.st_size >= RM_HEADER_BYTES)
        memory = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "%s: no such segment; is session `%s` running?\n", path, session);
        exit(2);
    }
    if (!rm_check(memory, (size_t)found.st_size, kind, layout_hash)) {
        fprintf(stderr, "%s: another layout; generate ringmaker.h with the version that runs\n", path);
        exit(2);
    }
    return memory;
}

static void print_market(const struct rm_header *market, int64_t instrument) {
    struct rm_shared_market_data row;
    if (instrument < market->capacity && rm_table_read(market, instrument, 1000, &row) > 0)
        printf("  bid %.2f  ask %.2f  mid %.2f%s", row.bid, row.ask, row.mid, row.status == 1 ? "" : " (stale)");
}

int main(int argc, char **argv) {
    const char *session = argc > 1 ? argv[1] : "local";
    long wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    const struct timespec pause = {0, 1000000};
    const struct rm_header *trades = attach(session, "trades", RM_KIND_RING, RM_TRADE_LAYOUT_HASH);
    const struct rm_header *market = attach(session, "market", RM_KIND_TABLE, RM_SHARED_MARKET_DATA_LAYOUT_HASH);
    int64_t position = rm_load(&trades->head), lost = 0;
    struct rm_trade trade;
    long quiet_ms = 0;

    while (wanted > 0 && quiet_ms < QUIET_S_MAX * 1000) {
        if (rm_ring_read(trades, &position, &lost, &trade)) {
            printf("trade %.2f x %.4f %s", trade.price, trade.size, trade.aggressor_side > 0 ? "buy " : "sell");
            print_market(market, trade.instrument);
            printf("\n");
            fflush(stdout);
            quiet_ms = 0;
            wanted--;
        } else if (rm_load(&trades->closed)) {
            printf("the session has ended\n");
            return 0;
        } else {
            nanosleep(&pause, NULL);
            quiet_ms++;
        }
    }
    printf("%" PRId64 " trades in all, %" PRId64 " of them missed\n", position, lost);
    return wanted > 0;
}
