/* Nanoseconds of a malloc and a free, a best of several rounds: allocators.py runs it, with another library preloaded. With an argument it
   is one of the two written here, which do what goalloc/baselines/bump.py and freelist.py (first fit) do: "bump", "list"; and "alone": bump
   without the writes to its blocks. Every round of bump begins with pages that are not there, as in the emulated one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 8, BYTES = 64, ROUNDS = 20, PAIRS = 400000, GROWTH = 1 << 20, UPPER = 47 };
static const uint64_t ADDRESS = (1ull << UPPER) - 1, OWNER = 1, TABLE = 1ull << 44, AREA = 1ull << 30;
static uint64_t next, end, start, alone, head;
#define WORD(a) (*(volatile uint64_t *)(a))

static void *bump_malloc(size_t n) {
    uint64_t size = (n + 15) & ~15ull, limit = WORD(&end), word = WORD(&next), here = word & ADDRESS;
    if (limit >> UPPER != OWNER)
        abort();
    if (here + size > (limit & ADDRESS)) {
        uint64_t to = (here + size + GROWTH - 1) & -(uint64_t)GROWTH;
        if (brk((void *)to))
            abort();
        WORD(&end) = OWNER << UPPER | to;
    }
    word = (word + size) | 1ull << (UPPER + (here >> 4 & 15));
    if ((here ^ (here + size)) >> 8) {
        *(volatile uint16_t *)(TABLE + (here >> 8 << 1)) = word >> UPPER;
        word &= ADDRESS;
    }
    WORD(&next) = word;
    return (void *)here;
}

static void bump_anew(void) {
    if (brk((void *)start))
        abort();
    next = start, end = OWNER << UPPER | start;
    madvise((void *)((TABLE + (start >> 7)) & -4096ull), AREA >> 7, MADV_DONTNEED);
}

static void unlink_block(uint64_t p) {
    uint64_t after = WORD(p + 8), before = WORD(p + 16);
    if (before) WORD(before + 8) = after; else WORD(&head) = after;
    if (after) WORD(after + 16) = before;
}

static void set_tags(uint64_t p, uint64_t size, uint64_t state) { WORD(p) = WORD(p + size - 8) = size | state; }

static void *list_malloc(size_t n) {
    uint64_t size = (n + 31) & ~15ull, p, has = 0, rest;
    if (WORD(&alone) != OWNER) /* one thread: the lock is not taken */
        abort();
    for (p = WORD(&head); p; p = WORD(p + 8))
        if ((has = WORD(p) & ~1ull) >= size)
            break;
    if (!p)
        abort();
    if (has - size < 32) {
        unlink_block(p);
        set_tags(p, has, 1);
        return (void *)(p + 8);
    }
    uint64_t after = WORD(p + 8), before = WORD(p + 16);
    rest = p + size;
    WORD(rest + 8) = after, WORD(rest + 16) = before;
    if (before) WORD(before + 8) = rest; else WORD(&head) = rest;
    if (after) WORD(after + 16) = rest;
    set_tags(rest, has - size, 0);
    set_tags(p, size, 1);
    return (void *)(p + 8);
}

static void list_free(void *block) {
    uint64_t p = (uint64_t)block - 8, word, size, after, before, first, joined = 0;
    if (WORD(&alone) != OWNER)
        abort();
    word = WORD(p), size = word & ~1ull;
    if (word == size || WORD(p + size - 8) != word)
        abort();
    after = WORD(p + size), before = WORD(p - 8);
    if (!(after & 1)) {
        unlink_block(p + size);
        size += after;
        after = WORD(p + size);
    }
    if (!(before & 1))
        p -= before, size += before, joined = 1;
    set_tags(p, size, 0);
    first = WORD(&head);
    if (first != p) {
        if (joined) unlink_block(p);
        WORD(p + 8) = first, WORD(p + 16) = 0;
        if (first) WORD(first + 16) = p;
        WORD(&head) = p;
    }
    if (after == 1 && size > AREA)
        abort();
}

static void nothing(void *block) { (void)block; }

int main(int argc, char **argv) {
    void *(*take)(size_t) = malloc, *blocks[BATCH];
    void (*give)(void *) = free;
    int written = 1;
    if (argc > 1 && !strcmp(argv[1], "list")) {
        start = (uint64_t)mmap(0, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        WORD(start) = 1, WORD(start + AREA - 8) = 1;
        head = start + 8, alone = OWNER;
        set_tags(head, AREA - 16, 0);
        take = list_malloc, give = list_free;
    } else if (argc > 1) {
        start = ((uint64_t)sbrk(0) + 15) & ~15ull;
        uint64_t table = (TABLE + (start >> 7)) & -4096ull;
        if (mmap((void *)table, AREA >> 6, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            abort();
        take = bump_malloc, give = nothing, written = !strcmp(argv[1], "bump");
    }
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec a, b;
        if (take == bump_malloc)
            bump_anew();
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (int i = 0; i < PAIRS / BATCH; i++) {
            for (int k = 0; k < BATCH; k++) {
                blocks[k] = take(BYTES);
                if (written) WORD(blocks[k]) = k;
            }
            for (int k = 0; k < BATCH; k++) give(blocks[k]);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double each = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / PAIRS;
        best = each < best ? each : best;
    }
    printf("%.2f\n", best);
}
