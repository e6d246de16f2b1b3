/* goalloc/baselines/buddy.py in C: the same words read and written in the same order. One region, which is enough here. */
#include "twins.h"

#define BYTE(a) (*(volatile uint8_t *)(a))

enum { LEAST_ORDER = 5, REGION_ORDER = 22, ORDER = 31, IS_FREE = 32, IS_TAKEN = 64, FRONT = 16, SEVERAL = 32 };
static const uint64_t REGION = 1ull << REGION_ORDER;
static struct { uint64_t owner, masks, lists[REGION_ORDER + 1]; } d;

static inline uint64_t state_of(uint64_t p) { return (p & -REGION) + REGION + ((p & (REGION - 1)) >> LEAST_ORDER); }

static void begin(void) {
    uint64_t start = (uint64_t)mmap(0, 3 * REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    start = (start + REGION - 1) & -REGION;
    BYTE(state_of(start)) = REGION_ORDER | IS_FREE;
    d.owner = OWNER, d.masks = REGION, d.lists[REGION_ORDER] = start;
}

static uint64_t pop(uint64_t p, uint64_t masks, uint64_t order) {
    uint64_t after = WORD(p);
    WORD(&d.lists[order]) = after;
    return WORD(after) ? masks : masks & ~(1ull << (SEVERAL + order));
}

static uint64_t unlink_block(uint64_t p, uint64_t masks, uint64_t order) {
    uint64_t first = WORD(&d.lists[order]), after, before;
    if (first == p)
        return pop(p, masks, order);
    after = WORD(p), before = WORD(p + 8);
    WORD(before) = after;
    if (after)
        WORD(after + 8) = before;
    return before == first && !after ? masks & ~(1ull << (SEVERAL + order)) : masks;
}

static uint64_t push(uint64_t p, uint64_t masks, uint64_t order) {
    uint64_t first = WORD(&d.lists[order]);
    if (!(masks >> (SEVERAL + order) & 1))
        WORD(first) = 0;
    WORD(first + 8) = p;
    WORD(p) = first;
    WORD(&d.lists[order]) = p;
    return masks | 1ull << (SEVERAL + order);
}

static void *take(size_t n) {
    uint64_t order = n > 1 ? 64 - __builtin_clzll(n - 1) : 0, masks, here, found, now, p;
    if (WORD(&d.owner) != OWNER)
        abort();
    if (order < LEAST_ORDER)
        order = LEAST_ORDER;
    masks = WORD(&d.masks);
    here = masks & ((1ull << SEVERAL) - (1ull << order));
    if (!here)
        abort();
    found = __builtin_ctzll(here);
    p = WORD(&d.lists[found]);
    now = masks >> (SEVERAL + found) & 1 ? pop(p, masks, found) : masks & ~(1ull << found);
    for (uint64_t k = found; k-- > order;) {
        BYTE(state_of(p + (1ull << k))) = k | IS_FREE;
        WORD(&d.lists[k]) = p + (1ull << k);
    }
    now |= (1ull << found) - (1ull << order);
    if (now != masks)
        WORD(&d.masks) = now;
    BYTE(state_of(p)) = order | IS_TAKEN;
    return (void *)p;
}

static void give(void *block) {
    uint64_t p = (uint64_t)block, whole = p, state, order, masks, now;
    if (WORD(&d.owner) != OWNER || p & FRONT)
        abort();
    state = BYTE(state_of(p)), order = state & ORDER;
    if (!(state & IS_TAKEN) || p & ((1ull << order) - 1))
        abort();
    now = masks = WORD(&d.masks);
    for (; order < REGION_ORDER && BYTE(state_of(whole ^ 1ull << order)) == (order | IS_FREE); order++) {
        now = now >> (SEVERAL + order) & 1 ? unlink_block(whole ^ 1ull << order, now, order) : now & ~(1ull << order);
        whole &= ~(1ull << order);
    }
    if (whole != p)
        BYTE(state_of(p)) = 0;
    if (now >> order & 1)
        now = push(whole, now, order);
    else
        WORD(&d.lists[order]) = whole;
    BYTE(state_of(whole)) = order | IS_FREE;
    now |= 1ull << order;
    if (now != masks)
        WORD(&d.masks) = now;
}

const struct allocator buddy = {"buddy", begin, take, give};
