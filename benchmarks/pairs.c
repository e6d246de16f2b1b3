/* Nanoseconds of a malloc and a free, a best of several rounds: pairs.py runs it, with another library preloaded. With the argument "bump" or
   "list" it is one of the two written here, which do what goalloc/baselines/bump.py and freelist.py (first fit) do. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { BATCH = 8, BYTES = 64, ROUNDS = 20, PAIRS = 400000 };
static uint64_t next, end, start, bits, lock, head;
#define WORD(a) (*(volatile uint64_t *)(a))

static void *bump_malloc(size_t n) {
    uint64_t size = (n + 15) & ~15ull, here = WORD(&next), granule;
    if (WORD(&lock) != 0 || here + size > WORD(&end))
        abort();
    WORD(&next) = here + size;
    granule = (here - WORD(&start)) >> 4;
    WORD(WORD(&bits) + (granule >> 6) * 8) |= 1ull << (granule & 63);
    return (void *)here;
}

static void unlink_block(uint64_t p) {
    uint64_t after = WORD(p + 8), before = WORD(p + 16);
    if (before) WORD(before + 8) = after; else head = after;
    if (after) WORD(after + 16) = before;
}

static void link_block(uint64_t p, uint64_t size) {
    WORD(p) = WORD(p + size - 8) = size;
    WORD(p + 8) = head, WORD(p + 16) = 0;
    if (head) WORD(head + 16) = p;
    head = p;
}

static void *list_malloc(size_t n) {
    if (WORD(&lock)) /* one thread: it is not taken */
        abort();
    uint64_t size = (n + 31) & ~15ull, p = head;
    while (p && WORD(p) < size)
        p = WORD(p + 8);
    if (!p)
        abort();
    uint64_t has = WORD(p);
    unlink_block(p);
    if (has - size >= 32) link_block(p + size, has - size); else size = has;
    WORD(p) = WORD(p + size - 8) = size | 1;
    return (void *)(p + 8);
}

static void list_free(void *block) {
    if (WORD(&lock))
        abort();
    uint64_t p = (uint64_t)block - 8, size = WORD(p) & ~1ull;
    if (!(WORD(p + size) & 1)) { uint64_t more = WORD(p + size); unlink_block(p + size); size += more; }
    if (!(WORD(p - 8) & 1)) { uint64_t more = WORD(p - 8); p -= more; unlink_block(p); size += more; }
    link_block(p, size);
}

static void nothing(void *block) { (void)block; }

int main(int argc, char **argv) {
    void *(*take)(size_t) = malloc, *blocks[BATCH];
    void (*give)(void *) = free;
    if (argc > 1) {
        size_t area = 1ull << 30;
        start = (uint64_t)mmap(0, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        bits = (uint64_t)mmap(0, area >> 7, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        next = start, end = start + area;
        if (!strcmp(argv[1], "list")) {
            WORD(start) = 1, WORD(start + area - 8) = 1;
            link_block(start + 8, area - 16);
        }
        take = strcmp(argv[1], "bump") ? list_malloc : bump_malloc;
        give = strcmp(argv[1], "bump") ? list_free : nothing;
    }
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec a, b;
        if (take == bump_malloc)
            next = start; /* the bits' pages are there */
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (int i = 0; i < PAIRS / BATCH; i++) {
            for (int k = 0; k < BATCH; k++) {
                blocks[k] = take(BYTES);
                if (take != bump_malloc) WORD(blocks[k]) = k;
            }
            for (int k = 0; k < BATCH; k++) give(blocks[k]);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double each = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / PAIRS;
        best = each < best ? each : best;
    }
    printf("%.2f\n", best);
}
