/* Cachegrind's cache simulation, replayed from a lackey trace.
 *
 * gcc -O2 -o cachegrind_ref cachegrind_ref.c
 * ./cachegrind_ref I1_SETS I1_WAYS D1_SETS D1_WAYS LL_SETS LL_WAYS < trace.lackey
 *
 * Prints one JSON line with cachegrind's nine events. The rules, from Valgrind's cachegrind/cg_sim.c and cg_main.c
 * (written anew from reading them):
 *
 *  - Every cache is LRU with 64-byte lines, and a miss allocates, whether it was a read or a write. Nothing is dirty:
 *    there are no write-backs.
 *  - A reference that touches two lines looks both of them up, the lower first, and is ONE reference and at most ONE
 *    miss: it misses if either line did.
 *  - LL serves I1 and D1. It is looked up only after a first-level miss, and then with the whole reference: the line
 *    that hit in the first level is looked up, and refreshed, in LL too.
 *  - A modify (a load and a store by one instruction, to one address, of one size) is one READ reference.
 *  - A data reference of more than 64 bytes (fxsave, xsave) is taken as its first 64.
 *
 * Tags start as line 0 in every way, so a reference to addresses 0..63 would hit; programs have nothing there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BITS = 6, LINE_BYTES = 1 << LINE_BITS };

typedef struct { uint64_t *tags; uint64_t sets, ways; } cache;
typedef struct { uint64_t references, first_level, last_level; } count;

static cache i1, d1, ll;

static cache make(const char *sets, const char *ways) {
    cache c = { NULL, strtoull(sets, NULL, 10), strtoull(ways, NULL, 10) };
    c.tags = calloc(c.sets * c.ways, sizeof *c.tags);
    return c;
}

static int line_misses(cache *c, uint64_t line) {
    uint64_t *set = c->tags + line % c->sets * c->ways, k = 0;
    while (k < c->ways && set[k] != line) k++;
    int miss = k == c->ways;
    if (miss) k--;
    for (; k > 0; k--) set[k] = set[k - 1];
    set[0] = line;
    return miss;
}

static int reference_misses(cache *c, uint64_t address, uint64_t size) {
    uint64_t first = address >> LINE_BITS, last = (address + size - 1) >> LINE_BITS;
    int miss = line_misses(c, first);
    if (last != first) miss |= line_misses(c, last);
    return miss;
}

static void refer(cache *c, count *n, uint64_t address, uint64_t size) {
    n->references++;
    if (!reference_misses(c, address, size)) return;
    n->first_level++;
    n->last_level += reference_misses(&ll, address, size);
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: cachegrind_ref I1_SETS I1_WAYS D1_SETS D1_WAYS LL_SETS LL_WAYS < trace\n");
        return 2;
    }
    i1 = make(argv[1], argv[2]);
    d1 = make(argv[3], argv[4]);
    ll = make(argv[5], argv[6]);
    count fetch = {0}, read = {0}, write = {0};
    char text[4096], kind;
    uint64_t address, size;
    while (fgets(text, sizeof text, stdin)) {
        if (sscanf(text, " %c %" SCNx64 ",%" SCNu64, &kind, &address, &size) != 3) continue;
        if (kind == 'I') { refer(&i1, &fetch, address, size); continue; }
        if (size > LINE_BYTES) size = LINE_BYTES;
        refer(&d1, kind == 'S' ? &write : &read, address, size);
    }
    printf("{\"Ir\": %" PRIu64 ", \"I1mr\": %" PRIu64 ", \"ILmr\": %" PRIu64
           ", \"Dr\": %" PRIu64 ", \"D1mr\": %" PRIu64 ", \"DLmr\": %" PRIu64
           ", \"Dw\": %" PRIu64 ", \"D1mw\": %" PRIu64 ", \"DLmw\": %" PRIu64 "}\n",
           fetch.references, fetch.first_level, fetch.last_level, read.references, read.first_level, read.last_level,
           write.references, write.first_level, write.last_level);
    return 0;
}
