/* Runs a script of malloc calls on the host's C library and prints what each gave.
 *
 * Build: gcc -O1 -pthread -o malloc_oracle malloc_oracle.c   Run: setarch -R ./malloc_oracle < script > answers.jsonl
 *
 * A script line is an operation, numbers decimal; a slot holds an address:
 *   m SLOT N | c SLOT N | r SLOT N | a SLOT ALIGNMENT N    malloc, calloc(1, N), realloc, memalign
 *   f SLOT | t PAD | s N | i                                free, malloc_trim, sbrk, mallinfo2
 *   F SLOT | p SLOT N | w SLOT OFFSET WORD                  free but remember the address; add N to it; write there
 *   o OPTION VALUE                                          mallopt; malloc.h's numbers
 *   k THREAD | x THREAD                                     who makes the calls from here on (0 at first, the main thread;
 *                                                           others begin when they are named first); a thread ends
 * An answer is a JSON list:
 *   m c r a    [where, usable size, break, wrong]   where: [0, offset from the break at the start], [1, offset from the
 *              first address that was mmapped], [2, heap, offset in it] of other arenas' heaps, numbered as they appear,
 *              or null; wrong: words that are not what they should be (0)
 *   f t s o    [what was returned, break]           break: sbrk(0), as an offset from the start; f returns nothing: 0
 *   i          mallinfo2's ten fields
 *   k x p w    []
 * The first line is [version, break at the start, processors, end of a first mapping]. The first WORDS words of a block are
 * written and, when it is reallocated, compared; calloc's are all looked at. Nothing here allocates but the script. */
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS 4096
#define WORDS 8192L
#define PROBE (1L << 20)
#define THREADS 64
#define HEAPS 256
#define HEAP_SIZE (64UL << 20)

static char script[64 << 20], out[64 << 20];
static char *in = script, *to = out;
static uint64_t *slot[SLOTS];
static long filled[SLOTS];
static char *start;
static uint64_t *mapped;
static uintptr_t heaps[HEAPS];
static pthread_t thread[THREADS];
static int running[THREADS];
static int turn, ends = -1;                             /* whose turn it is; who shall end at its turn */

static long number(void) {
    long sign = 1, n = 0;
    while (*in == ' ') in++;
    if (*in == '-') { sign = -1; in++; }
    for (; *in >= '0' && *in <= '9'; in++) n = 10 * n + (*in - '0');
    return sign * n;
}

static void put(const char *text) { while (*text) *to++ = *text++; }

static void put_number(long n) {
    char digits[24], *d = digits;
    uint64_t u = n < 0 ? -(uint64_t)n : (uint64_t)n;
    if (n < 0) *to++ = '-';
    do *d++ = (char)('0' + u % 10); while (u /= 10);
    while (d > digits) *to++ = *--d;
}

static void put_break(void) { put(", "); put_number((char *)sbrk(0) - start); }

static uint64_t pattern(long s) { return 0x0101010101010101UL * (uint64_t)(s % 199 + 7); }

static void fill(long s, long n) {
    filled[s] = n / 8 < WORDS ? n / 8 : WORDS;
    for (long i = 0; i < filled[s]; i++) slot[s][i] = pattern(s);
}

static int heap_number(uintptr_t heap) {
    int i = 0;
    while (heaps[i] && heaps[i] != heap) i++;
    heaps[i] = heap;
    return i;
}

static void put_place(uint64_t *a) {
    if (!a) put("null");
    else if (a[-1] & 2) {
        if (!mapped) mapped = a;
        put("[1, "); put_number((char *)a - (char *)mapped); put("]");
    } else if (a[-1] & 4) {
        put("[2, "); put_number(heap_number((uintptr_t)a / HEAP_SIZE)); put(", "); put_number((long)((uintptr_t)a % HEAP_SIZE)); put("]");
    } else { put("[0, "); put_number((char *)a - start); put("]"); }
}

static void give(long s, void *p, long n, long wrong) {
    uint64_t *a = p;
    slot[s] = a;
    put("[");
    put_place(a);
    put(", "); put_number((long)malloc_usable_size(a));
    put_break();
    put(", "); put_number(wrong);
    if (a) fill(s, n); else filled[s] = 0;
}

static void resize(long s, long n) {
    uint64_t *a = realloc(slot[s], (size_t)n);
    if (!a && n) { put("[null, 0"); put_break(); put(", 0"); return; }   /* no memory: the block stays */
    long wrong = 0, both = n / 8 < filled[s] ? n / 8 : filled[s];
    for (long i = 0; a && i < both; i++) wrong += a[i] != pattern(s);
    give(s, a, n, wrong);
}

static void give_zeroed(long s, long n) {
    uint64_t *a = calloc(1, (size_t)n);
    long wrong = 0;
    for (long i = 0; a && i < n / 8; i++) wrong += a[i] != 0;
    give(s, a, n, wrong);
}

static void info(void) {
    struct mallinfo2 m = mallinfo2();
    size_t f[] = {m.arena, m.ordblks, m.smblks, m.hblks, m.hblkhd, m.usmblks, m.fsmblks, m.uordblks, m.fordblks, m.keepcost};
    put("[");
    for (int i = 0; i < 10; i++) { if (i) put(", "); put_number((long)f[i]); }
}

static void perform(char op) {
    long n, s;
    if (op == 't') { put("["); n = number(); put_number(malloc_trim((size_t)n)); put_break(); }
    else if (op == 'o') { put("["); n = number(); put_number(mallopt((int)n, (int)number())); put_break(); }
    else if (op == 's') { put("["); n = number(); put_number((char *)sbrk(n) - start); put_break(); }
    else if (op == 'i') info();
    else {
        s = number();
        if (op == 'm') { n = number(); give(s, malloc((size_t)n), n, 0); }
        else if (op == 'c') give_zeroed(s, number());
        else if (op == 'r') resize(s, number());
        else if (op == 'a') { long alignment = number(); n = number(); give(s, memalign((size_t)alignment, (size_t)n), n, 0); }
        else if (op == 'p') { slot[s] = (uint64_t *)((char *)slot[s] + number()); put("["); }
        else if (op == 'w') { n = number(); *(long *)((char *)slot[s] + n) = number(); put("["); }
        else {
            free(slot[s]);
            if (op == 'f') { slot[s] = 0; filled[s] = 0; }
            put("[0"); put_break();
        }
    }
    put("]\n");
}

static void set_turn(int k) { __atomic_store_n(&turn, k, __ATOMIC_SEQ_CST); }
static void await_turn(int k) { while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != k) sched_yield(); }
static char op;

/* Thread k: one call whenever it is its turn, which then goes back to the main thread. */
static void *work(void *k) {
    for (;;) {
        await_turn((int)(long)k);
        if (ends == (int)(long)k) return 0;
        perform(op);
        set_turn(0);
    }
}

static void choose(char which, int k) {
    if (which == 'k' && k && !running[k]) {
        running[k] = 1;
        pthread_create(&thread[k], 0, work, (void *)(long)k);
    } else if (which == 'x') {
        ends = k;
        set_turn(k);
        pthread_join(thread[k], 0);
        ends = -1;
        running[k] = 0;
        set_turn(0);
    }
    put("[]\n");
}

/* Where a mapping that is no whole 2 MiB would end now; those that are begin at a multiple of that. */
static char *first_end(void) {
    char *p = mmap(0, PROBE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p, PROBE);
    return p + PROBE;
}

int main(void) {
    long got = 0, n;
    int k = 0;
    while ((n = read(0, script + got, sizeof script - 1 - (size_t)got)) > 0) got += n;
    start = sbrk(0);
    put("[\""); put(gnu_get_libc_version()); put("\", "); put_number((long)start); put(", "); put_number(sysconf(_SC_NPROCESSORS_ONLN));
    put(", "); put_number((long)first_end()); put("]\n");
    while ((op = *in++)) {
        if (op == '\n') continue;
        if (op == 'k') choose(op, k = (int)number());
        else if (op == 'x') choose(op, (int)number());
        else if (k == 0) perform(op);
        else { set_turn(k); await_turn(0); }
    }
    for (char *p = out; p < to; p += n) if ((n = write(1, p, (size_t)(to - p))) <= 0) return 1;
    return 0;
}
