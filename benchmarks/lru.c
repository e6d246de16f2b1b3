/* The yardstick: three cache levels with LRU replacement and nothing else, as bare as C allows.
 *
 * Write-back, write-allocate, neither inclusive nor exclusive: the levels of a one-core machine with inclusion="nine".
 * A miss asks the next level before it evicts; a dirty victim is then written to the next level, where it refreshes
 * recency or, missing there, is allocated without a fetch. No cores, no coherence, no clock, no counters but misses.
 *
 * A set is its tags in order of use, the most recent first:
 *
 *      tag:  line << 2 | dirty << 1 | valid          set:  | A | B | C | - |   hit C   | C | A | B | - |
 *
 * Two loops over the same sets: run_scalar, and run_vector, which compares eight ways by one AVX-512 instruction and
 * moves them by another. Ways are 8 or 16 for run_vector. gcc -O3 -march=native -shared -fPIC (c_loop.py). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 3
#define VALID 1
#define DIRTY 2

typedef int64_t i64;
typedef struct { i64 *tags; i64 sets, ways, misses; } level;
typedef int finder(level *l, i64 line, i64 dirty, i64 *victim);

static level levels[LEVELS];

/* Empty levels from (sets, ways) pairs, sets powers of two; 0, or -1 without memory. */
int set_up(const i64 *shape) {
    for (int n = 0; n < LEVELS; n++) {
        level *l = &levels[n];
        l->sets = shape[2 * n];
        l->ways = shape[2 * n + 1];
        l->misses = 0;
        size_t bytes = (l->sets * l->ways * sizeof(i64) + 63) & ~63ul;
        free(l->tags);
        if (!(l->tags = aligned_alloc(64, bytes))) return -1;
        memset(l->tags, 0, bytes);
    }
    return 0;
}

i64 misses_of(int n) { return levels[n].misses; }

/* Make `line` the most recent of its set; 1 if it was there. Else the oldest tag goes to *victim. */
static inline __attribute__((always_inline)) int find_scalar(level *l, i64 line, i64 dirty, i64 *victim) {
    i64 ways = l->ways, want = line << 2 | VALID;
    i64 *tags = l->tags + (line & (l->sets - 1)) * ways;
    i64 carried = tags[0];
    if ((carried & ~DIRTY) == want) { tags[0] |= dirty; return 1; }
    for (i64 k = 1; k < ways; k++) {
        i64 tag = tags[k];
        tags[k] = carried;
        if ((tag & ~DIRTY) == want) { tags[0] = tag | dirty; return 1; }
        carried = tag;
    }
    *victim = carried;
    tags[0] = want | dirty;
    return 0;
}

static inline __attribute__((always_inline)) void write_back(finder *find, int n, i64 victim) {
    for (; n < LEVELS && (victim & (DIRTY | VALID)) == (DIRTY | VALID); n++)
        if (find(&levels[n], victim >> 2, DIRTY, &victim)) return;
}

static inline __attribute__((always_inline)) void run(finder *find, const i64 *addresses, const uint8_t *is_store, i64 count) {
    level *l1 = &levels[0], *l2 = &levels[1], *l3 = &levels[2];
    for (i64 i = 0; i < count; i++) {
        i64 line = addresses[i] >> 6, victim1, victim2, victim3;
        if (find(l1, line, is_store[i] ? DIRTY : 0, &victim1)) continue;
        l1->misses++;
        if (!find(l2, line, 0, &victim2)) {
            l2->misses++;
            if (!find(l3, line, 0, &victim3)) l3->misses++;
            write_back(find, 2, victim2);
        }
        write_back(find, 1, victim1);
    }
}

void run_scalar(const i64 *addresses, const uint8_t *is_store, i64 count) { run(find_scalar, addresses, is_store, count); }

#ifdef __AVX512F__
#include <immintrin.h>

static const i64 to_front[8][8] __attribute__((aligned(64))) = {
    {0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 2, 3, 4, 5, 6, 7}, {2, 0, 1, 3, 4, 5, 6, 7}, {3, 0, 1, 2, 4, 5, 6, 7},
    {4, 0, 1, 2, 3, 5, 6, 7}, {5, 0, 1, 2, 3, 4, 6, 7}, {6, 0, 1, 2, 3, 4, 5, 7}, {7, 0, 1, 2, 3, 4, 5, 6}};

static inline unsigned matches(__m512i tags, i64 want) {
    return _mm512_testn_epi64_mask(_mm512_xor_si512(tags, _mm512_set1_epi64(want)), _mm512_set1_epi64(~DIRTY));
}

/* `tags` stored with those before way k moved up by one, and `first` in front. */
static inline void store_moved(i64 *place, __m512i tags, int k, i64 first) {
    __m512i moved = _mm512_permutexvar_epi64(_mm512_load_si512(to_front[k]), tags);
    _mm512_store_si512(place, _mm512_mask_set1_epi64(moved, 1, first));
}

static inline __attribute__((always_inline)) int find_vector(level *l, i64 line, i64 dirty, i64 *victim) {
    i64 want = line << 2 | VALID;
    i64 *tags = l->tags + (line & (l->sets - 1)) * l->ways;
    if ((tags[0] & ~DIRTY) == want) { tags[0] |= dirty; return 1; }
    __m512i first = _mm512_load_si512(tags);
    unsigned match = matches(first, want);
    if (match || l->ways == 8) {
        int k = match ? __builtin_ctz(match) : 7;
        i64 last = tags[k];
        store_moved(tags, first, k, (match ? last : want) | dirty);
        *victim = last;
        return match != 0;
    }
    __m512i second = _mm512_load_si512(tags + 8);
    match = matches(second, want);
    int k = match ? __builtin_ctz(match) : 7;
    i64 last = tags[8 + k], between = tags[7];
    store_moved(tags, first, 7, (match ? last : want) | dirty);
    store_moved(tags + 8, second, k, between);
    *victim = last;
    return match != 0;
}

int has_vector(void) { return 1; }
void run_vector(const i64 *addresses, const uint8_t *is_store, i64 count) { run(find_vector, addresses, is_store, count); }
#else
int has_vector(void) { return 0; }
void run_vector(const i64 *addresses, const uint8_t *is_store, i64 count) { run_scalar(addresses, is_store, count); }
#endif
