/* goalloc/baselines/buddy.py in C: the same words read and written in the same order. One region, which is enough here. */
#include "twins.h"

enum { LEAST_ORDER = 5, REGION_ORDER = 22, ORDER = 31, FRONT = 16 };
static const uint64_t TAKEN = 1ull << 62;
static struct { uint64_t owner, bits, lists[REGION_ORDER + 1]; } d;

static void begin(void) {
    uint64_t region = 1ull << REGION_ORDER;
    uint64_t start = (uint64_t)mmap(0, 2 * region, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    start = (start + region - 1) & -region;
    WORD(start) = REGION_ORDER;
    d.owner = OWNER, d.bits = region, d.lists[REGION_ORDER] = start;
}

static void *take(size_t n) {
    uint64_t order = 64 - __builtin_clzll(n + FRONT - 1), bits, found, p, after, now;
    if (WORD(&d.owner) != OWNER || n > AREA)
        abort();
    if (order < LEAST_ORDER)
        order = LEAST_ORDER;
    bits = WORD(&d.bits);
    if (!(bits >> order))
        abort();
    found = order + __builtin_ctzll(bits >> order);
    p = WORD(&d.lists[found]);
    after = WORD(p) & ~(uint64_t)ORDER;
    WORD(&d.lists[found]) = after;
    now = after ? bits : bits & ~(1ull << found);
    for (uint64_t k = found; k-- > order;) {
        WORD(p + (1ull << k)) = k;
        WORD(&d.lists[k]) = p + (1ull << k);
    }
    now |= (1ull << found) - (1ull << order);
    if (now != bits)
        WORD(&d.bits) = now;
    WORD(p) = order | TAKEN;
    return (void *)(p + FRONT);
}

static uint64_t unlink_block(uint64_t p, uint64_t after, uint64_t order) {
    if (WORD(&d.lists[order]) == p) {
        WORD(&d.lists[order]) = after;
        return after ? 0 : 1ull << order;
    }
    uint64_t before = WORD(p + 8);
    WORD(before) = after | order;
    if (after)
        WORD(after + 8) = before;
    return 0;
}

static void give(void *block) {
    uint64_t p = (uint64_t)block - FRONT, word, order, bits, now, first;
    if (WORD(&d.owner) != OWNER)
        abort();
    word = WORD(p), order = word & ORDER;
    if ((word & ~(uint64_t)ORDER) != TAKEN || order < LEAST_ORDER || order > REGION_ORDER)
        abort();
    now = bits = WORD(&d.bits);
    for (; order < REGION_ORDER; order++) {
        uint64_t other = p ^ 1ull << order;
        word = WORD(other);
        if ((word & (TAKEN | ORDER)) != order)
            break;
        now &= ~unlink_block(other, word & ~(uint64_t)ORDER, order);
        p &= ~(1ull << order);
    }
    first = now >> order & 1 ? WORD(&d.lists[order]) : 0;
    WORD(p) = first | order;
    if (first)
        WORD(first + 8) = p;
    WORD(&d.lists[order]) = p;
    now |= 1ull << order;
    if (now != bits)
        WORD(&d.bits) = now;
}

const struct allocator buddy = {"buddy", begin, take, give};
