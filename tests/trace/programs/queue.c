/* A producer and two consumers around a ring of two places: a mutex and condition variables; a spin lock beside it. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int count, in, out, done, spin;
static long ring[2], sums[2], hits;

static void *produce(void *argument) {
    for (long i = 1; i <= 40; i++) {
        pthread_mutex_lock(&lock);
        while (count == 2)
            pthread_cond_wait(&emptied, &lock);
        ring[in++ & 1] = i;
        count++;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    done = 1;
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&lock);
    return argument;
}

static void *consume(void *argument) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!count && !done)
            pthread_cond_wait(&filled, &lock);
        if (!count) {
            pthread_mutex_unlock(&lock);
            return 0;
        }
        sums[(long)argument] += ring[out++ & 1];
        count--;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&lock);
        while (__atomic_exchange_n(&spin, 1, __ATOMIC_ACQUIRE))
            ;
        hits++;
        __atomic_store_n(&spin, 0, __ATOMIC_RELEASE);
    }
}

int main(void) {
    pthread_t producer, consumer[2];
    for (long i = 0; i < 2; i++)
        pthread_create(&consumer[i], 0, consume, (void *)i);
    pthread_create(&producer, 0, produce, 0);
    pthread_join(producer, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(consumer[i], 0);
    printf("%ld %ld\n", sums[0] + sums[1], hits);
    return 0;
}
