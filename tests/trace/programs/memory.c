/* Memory calls with a known number of pages touched before each, by two threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096L
static volatile char *both;

static void touch(volatile char *at, int pages) {
    for (int i = 0; i < pages; i++)
        at[i * PAGE] = 1;
}

static void *second(void *argument) {
    touch(both + 8 * PAGE, 8);
    madvise((void *)(both + 12 * PAGE), 4 * PAGE, MADV_DONTNEED);
    return argument;
}

int main(void) {
    pthread_t t;
    both = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch(both, 4);
    pthread_create(&t, 0, second, 0);
    pthread_join(t, 0);
    volatile char *moved = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch(moved, 6);
    moved = mremap((void *)moved, 8 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
    touch(moved + 8 * PAGE, 5);
    munmap((void *)(moved + 8 * PAGE), 2 * PAGE);
    volatile char *heap = sbrk(20 * PAGE);
    touch(heap, 20);
    sbrk(-10 * PAGE);
    return 0;
}
