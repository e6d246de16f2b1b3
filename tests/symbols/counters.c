/* Two threads count, each in a counter of its own. PAD: what keeps the counters apart, if anything. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef PAD
#define PAD
#endif
struct counter { PAD long value; long last; };
static struct counter counters[2];
static pthread_barrier_t start;
static long rounds = 4000;

static void *count(void *arg) {
    struct counter *mine = &counters[(long)arg];
    pthread_barrier_wait(&start);
    for (long i = 0; i < rounds; i++)
        *(volatile long *)&mine->value += i & 3;
    return 0;
}

int main(int argc, char **argv) {
    pthread_t threads[2];
    if (argc > 1)
        rounds = atol(argv[1]);
    pthread_barrier_init(&start, 0, 2);
    for (long i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, count, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
    printf("%ld %ld\n", counters[0].value, counters[1].value);
    return 0;
}
