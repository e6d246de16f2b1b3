/* Threads count for themselves in counters that are neighbours, as programs do that keep statistics a thread. PAD: what keeps the
   counters apart, if anything. neighbours SEED THREADS ROUNDS */
#include <pthread.h>
#include <stdlib.h>

#ifndef PAD
#define PAD
#endif
struct counter { PAD long hits; long misses; };
static struct counter counters[8];
static pthread_barrier_t start;
static unsigned long seed;
static long threads, rounds;

static void *count(void *arg) {
    long me = (long)arg;
    unsigned long random = 88172645463325252UL + 97 * seed + me;
    volatile struct counter *mine = &counters[me];
    pthread_barrier_wait(&start);
    for (long i = 0; i < rounds; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        if (random & 7)
            mine->hits++;
        else
            mine->misses++;
    }
    return 0;
}

int main(int argc, char **argv) {
    pthread_t made[8];
    long sum = 0;
    if (argc != 4)
        return 2;
    seed = strtoul(argv[1], 0, 10), threads = atol(argv[2]), rounds = atol(argv[3]);
    if (threads < 1 || threads > 8)
        return 2;
    pthread_barrier_init(&start, 0, threads);
    for (long i = 0; i < threads; i++)
        pthread_create(&made[i], 0, count, (void *)i);
    for (long i = 0; i < threads; i++)
        pthread_join(made[i], 0), sum += counters[i].hits + counters[i].misses;
    return sum != threads * rounds;
}
