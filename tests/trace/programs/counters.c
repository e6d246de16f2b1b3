/* Threads that raise counters of their own, side by side on one line ("near") or on lines of their own ("far"), and write an array of their own.
   A barrier at their start: so short a thread would else have ended before the next one begins. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct { volatile long value; } near[8] __attribute__((aligned(64)));
static struct { volatile long value; long pad[15]; } far[8] __attribute__((aligned(64)));
static long rounds;
static int apart;
static pthread_barrier_t start;

static void *work(void *argument) {
    long me = (long)argument;
    volatile long own[16];
    pthread_barrier_wait(&start);
    for (long i = 0; i < rounds; i++) {
        if (apart)
            far[me].value++;
        else
            near[me].value++;
        own[i & 15] = i;
    }
    return 0;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    pthread_t t[8];
    rounds = argc > 2 ? atol(argv[2]) : 100;
    apart = argc > 3 && !strcmp(argv[3], "far");
    pthread_barrier_init(&start, 0, threads);
    for (long i = 0; i < threads; i++)
        pthread_create(&t[i], 0, work, (void *)i);
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], 0);
    printf("%ld %ld\n", near[0].value + far[0].value, near[1].value + far[1].value);
    return 0;
}
