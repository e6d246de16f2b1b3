/* Nanoseconds of a malloc and a free, a best of several rounds: allocators.py runs it, with another library preloaded. With an argument it
   is one of those written in C, which do what goalloc/baselines' do: "bump" here, the others in freelist.c and buddy.c; and "alone": bump
   without the writes to its blocks. Every round of bump begins with pages that are not there, as in the emulated one. */
#include "twins.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 8, BYTES = 64, ROUNDS = 20, PAIRS = 400000, GROWTH = 1 << 20 };
static const uint64_t TABLE = 1ull << 44;
static uint64_t next, end, start;

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

static void bump_begin(void) {
    start = ((uint64_t)sbrk(0) + 15) & ~15ull;
    uint64_t table = (TABLE + (start >> 7)) & -4096ull;
    if (mmap((void *)table, AREA >> 6, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        abort();
}

static void nothing(void *block) { (void)block; }

static void library_begin(void) {}

static const struct allocator library = {"", library_begin, malloc, free};
static const struct allocator bump = {"bump", bump_begin, bump_malloc, nothing}, alone = {"alone", bump_begin, bump_malloc, nothing};
static const struct allocator *const twins[] = {&bump, &alone, &first_fit, &next_fit, &best_fit, &segregated, &buddy};

static const struct allocator *named(const char *name) {
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (!strcmp(twins[i]->name, name))
            return twins[i];
    fprintf(stderr, "no allocator %s\n", name);
    exit(2);
}

int main(int argc, char **argv) {
    const struct allocator *one = argc > 1 ? named(argv[1]) : &library;
    void *(*take)(size_t) = one->take, *blocks[BATCH];
    void (*give)(void *) = one->give;
    int written = one != &alone;
    one->begin();
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec a, b;
        if (one->give == nothing)
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
