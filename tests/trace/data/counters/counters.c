#include <pthread.h>

struct counter { long hits, misses; };
static struct counter counters[2] __attribute__((aligned(64)));
static pthread_barrier_t start;

static void *count(void *arg) {
    struct counter *mine = &counters[(long)arg];
    pthread_barrier_wait(&start);
    for (int i = 0; i < 4000; i++)
        if (i % 8)
            mine->hits++;
        else
            mine->misses++;
    return 0;
}

int main(void) {
    pthread_t threads[2];
    pthread_barrier_init(&start, 0, 2);
    for (long i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, count, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
}
