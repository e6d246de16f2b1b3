/* What pairs.c and the allocators written here share. A word of memory is read and written where it is said, as in the emulated ones. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORD(a) (*(volatile uint64_t *)(a))

struct allocator {
    const char *name;
    void (*begin)(void);
    void *(*take)(size_t);
    void (*give)(void *);
};

enum { UPPER = 47 }; /* where the only thread that has called, plus one, stands in a word */
static const uint64_t ADDRESS = (1ull << UPPER) - 1, OWNER = 1, AREA = 1ull << 30;

extern const struct allocator first_fit, next_fit, best_fit, segregated, buddy;
