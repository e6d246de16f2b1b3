/* Memory taken, given back, moved and protected by two threads, each touching a known number of its pages before: tests/oracles/programs/steps.json.gz
   says, from this text alone, how many pages of each mapping are there before and after each call. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096L
static volatile char *both;

static void touch(volatile char *at, int first, int beyond) {
    for (int i = first; i < beyond; i++)
        at[i * PAGE] = 1;
}

static volatile char *fresh(int pages) {
    return mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *second(void *argument) {
    touch(both, 24, 48);
    madvise((void *)(both + 36 * PAGE), 12 * PAGE, MADV_DONTNEED);
    touch(both, 36, 40);
    mprotect((void *)both, 48 * PAGE, PROT_READ);
    return argument;
}

int main(void) {
    pthread_t t;
    both = fresh(48);
    touch(both, 0, 12);
    pthread_create(&t, 0, second, 0);
    pthread_join(t, 0);
    volatile char *lazy = fresh(30);
    touch(lazy, 0, 30);
    madvise((void *)lazy, 15 * PAGE, MADV_FREE);
    touch(lazy, 0, 3);
    mprotect((void *)(lazy + 20 * PAGE), 10 * PAGE, PROT_READ);
    munmap((void *)(lazy + 15 * PAGE), 5 * PAGE);
    volatile char *moved = fresh(8);
    touch(moved, 0, 5);
    volatile char *there = mremap((void *)moved, 8 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    touch(there, 8, 15);
    munmap((void *)(there + 12 * PAGE), 28 * PAGE);
    volatile char *heap = sbrk(24 * PAGE);
    touch(heap, 1, 24);
    sbrk(-10 * PAGE);
    printf("%p %p %p %p %p\n", (void *)both, (void *)lazy, (void *)moved, (void *)there, (void *)heap);
    return 0;
}
