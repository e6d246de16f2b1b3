/* Says of parts of its variables where they lie, so that the compiler's answer can be compared with what debugging information gives.
   A static function of the same name, inlined, and one that is not; a variable within a function. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct { short low, high; } pair;
struct inner { char tag; pair p[3]; union { long word; struct { int first, second; }; } both; };
struct outer {
    struct inner row[2][3];
    unsigned a : 3, b : 5, c : 12;
    long long after;
    struct { int x; union { float f; unsigned char bytes[4]; }; } deep;
    const volatile _Atomic long counter;
    char *name;
};
struct outer table[4];
static long plain;
int matrix[3][4][5];
const struct inner fixed = {.tag = 'x'};
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
_Thread_local long of_thread;
extern struct { int from, to; } elsewhere;

static inline __attribute__((always_inline)) long twice(long n) {
    plain += n;
    return plain * 2;
}

__attribute__((noinline)) long *within(int n) {
    static long kept[2];
    kept[n & 1] += twice(n);
    return kept;
}

#define SAY(base, e) printf("%s %s %td %zu\n", #base, #e, (char *)&(e) - (char *)&(base), sizeof(e));
int main(void) {
    SAY(table, table[0].row[0][0].tag)
    SAY(table, table[1].row[1][2].p[2].high)
    SAY(table, table[3].row[0][1].both.word)
    SAY(table, table[2].after)
    SAY(table, table[2].deep.x)
    SAY(table, table[2].deep.f)
    SAY(table, table[3].counter)
    SAY(table, table[3].name)
    SAY(matrix, matrix[2][3][4])
    SAY(matrix, matrix[0][1][0])
    SAY(plain, plain)
    SAY(fixed, fixed.p[1].low)
    SAY(lock, lock.__data.__owner)
    SAY(elsewhere, elsewhere.to)
    struct outer *block = calloc(3, sizeof *block);
    of_thread = (long)block;
    return within((int)of_thread & 1) == 0;
}
