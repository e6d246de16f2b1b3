/* goalloc/baselines/freelist.py in C: the same words read and written in the same order. What a batch of eight blocks does not need (a grown
   or trimmed heap, several threads) aborts. */
#include "twins.h"

#define inlined static inline __attribute__((always_inline))

enum policy { FIRST, NEXT, BEST, SEGREGATED };
enum { TAKEN = 1, BEFORE = 2, LEAST = 32, RANGES = 64, TRIM = 132 << 10 };
static const uint64_t SIZE = ~15ull;
static struct { uint64_t top, end, rover, lists[RANGES]; } d;

static void begin(void) {
    uint64_t start = (uint64_t)mmap(0, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    d.top = OWNER << UPPER | (start + 8);
    d.end = start + TRIM;
}

inlined int range_of(uint64_t size, enum policy policy) {
    if (policy != SEGREGATED)
        return 0;
    int order = 63 - __builtin_clzll(size), range = 1 + 4 * (order - 5) + (size >> (order - 2) & 3);
    return range < RANGES ? range : RANGES - 1;
}

inlined void link_block(uint64_t p, int range, enum policy policy) {
    uint64_t first = WORD(&d.lists[range]);
    WORD(p + 8) = first;
    if (first)
        WORD(first + 16) = p;
    else if (policy == SEGREGATED)
        WORD(&d.lists) |= 1ull << range;
    WORD(&d.lists[range]) = p;
}

inlined void unlink_block(uint64_t p, int range, enum policy policy) {
    uint64_t after = WORD(p + 8), before;
    if (policy == NEXT && WORD(&d.rover) == p)
        WORD(&d.rover) = after;
    if (WORD(&d.lists[range]) == p) {
        WORD(&d.lists[range]) = after;
        if (!after && policy == SEGREGATED)
            WORD(&d.lists) &= ~(1ull << range);
        return;
    }
    before = WORD(p + 16);
    WORD(before + 8) = after;
    if (after)
        WORD(after + 16) = before;
}

inlined void relink_block(uint64_t p, int old, int range) {
    uint64_t bits = WORD(&d.lists), after = WORD(p + 8), first = bits >> range & 1 ? WORD(&d.lists[range]) : 0, before;
    if (WORD(&d.lists[old]) == p) {
        WORD(&d.lists[old]) = after;
        bits &= ~(after ? 0 : 1ull << old);
    } else {
        before = WORD(p + 16);
        WORD(before + 8) = after;
        if (after)
            WORD(after + 16) = before;
    }
    WORD(p + 8) = first;
    if (first)
        WORD(first + 16) = p;
    WORD(&d.lists[range]) = p;
    WORD(&d.lists) = bits | 1ull << range;
}

inlined uint64_t fit(uint64_t p, uint64_t until, uint64_t size) {
    for (; p && p != until; p = WORD(p + 8))
        if ((WORD(p) & SIZE) >= size)
            return p;
    return 0;
}

inlined uint64_t smallest(uint64_t p, uint64_t size) {
    uint64_t best = 0, least = ~0ull, has;
    for (; p && least != size; p = WORD(p + 8)) {
        has = WORD(p) & SIZE;
        if (size <= has && has < least)
            best = p, least = has;
    }
    return best;
}

inlined uint64_t search(uint64_t first, uint64_t size, enum policy policy) {
    if (!first)
        return 0;
    if (policy == FIRST)
        return fit(first, 0, size);
    if (policy == BEST)
        return smallest(first, size);
    if (policy == NEXT) {
        uint64_t rover = WORD(&d.rover), found = fit(rover, 0, size);
        return found ? found : fit(first, rover, size);
    }
    int range = range_of(size, policy);
    uint64_t mask = first & ~0ull << range, found;
    if (mask >> range & 1) {
        found = fit(WORD(&d.lists[range]), 0, size);
        if (found)
            return found;
        mask &= mask - 1;
    }
    return mask ? WORD(&d.lists[__builtin_ctzll(mask)]) : 0;
}

inlined void cut(uint64_t p, uint64_t size, enum policy policy) {
    uint64_t has = WORD(p) & SIZE, rest = p + size;
    unlink_block(p, range_of(has, policy), policy);
    if (has - size < LEAST) {
        WORD(p) = has | BEFORE | TAKEN;
        WORD(p + has) |= BEFORE;
        return;
    }
    link_block(rest, range_of(has - size, policy), policy);
    WORD(rest) = (has - size) | BEFORE;
    WORD(p + has - 8) = has - size;
    WORD(p) = size | BEFORE | TAKEN;
}

inlined void *take(size_t n, enum policy policy) {
    uint64_t first = WORD(&d.lists), top = WORD(&d.top), size = (n + 8 + 15) & SIZE, p;
    if (top >> UPPER != OWNER)
        abort();
    if (size < LEAST)
        size = LEAST;
    p = search(first, size, policy);
    if (p) {
        cut(p, size, policy);
        return (void *)(p + 8);
    }
    p = top & ADDRESS;
    if (p + size > WORD(&d.end))
        abort();
    WORD(&d.top) = top + size;
    WORD(p) = size | BEFORE | TAKEN;
    return (void *)(p + 8);
}

inlined void give_to_top(uint64_t top, uint64_t p, uint64_t word, enum policy policy) {
    uint64_t less = word & SIZE;
    if (!(word & BEFORE)) {
        uint64_t old = WORD(p - 8);
        unlink_block(p - old, range_of(old, policy), policy);
        less += old;
    }
    WORD(&d.top) = top - less;
    if (WORD(&d.end) - ((top - less) & ADDRESS) >= AREA)
        abort();
}

inlined void give(void *block, enum policy policy) {
    uint64_t p = (uint64_t)block - 8, top = WORD(&d.top), end = top & ADDRESS, word, size, after, behind;
    if (top >> UPPER != OWNER)
        abort();
    word = WORD(p), size = word & SIZE, after = p + size;
    if (after == end && word & TAKEN) {
        give_to_top(top, p, word, policy);
        return;
    }
    behind = word & TAKEN && p < after && after < end ? WORD(after) : 0;
    if (!(behind & BEFORE))
        abort();
    if (behind & TAKEN)
        WORD(after) = behind & ~(uint64_t)BEFORE;
    else {
        unlink_block(after, range_of(behind & SIZE, policy), policy);
        size += behind & SIZE;
    }
    if (word & BEFORE)
        link_block(p, range_of(size, policy), policy);
    else {
        uint64_t old = WORD(p - 8);
        p -= old, size += old;
        if (range_of(old, policy) != range_of(size, policy))
            relink_block(p, range_of(old, policy), range_of(size, policy));
    }
    WORD(p) = size | BEFORE;
    WORD(p + size - 8) = size;
}

#define ALLOCATOR(name, policy)                                 \
    static void *name##_take(size_t n) { return take(n, policy); } \
    static void name##_give(void *block) { give(block, policy); }  \
    const struct allocator name = {#name, begin, name##_take, name##_give};
ALLOCATOR(first_fit, FIRST)
ALLOCATOR(next_fit, NEXT)
ALLOCATOR(best_fit, BEST)
ALLOCATOR(segregated, SEGREGATED)
