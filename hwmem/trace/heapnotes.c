/* Preloaded by `hwmem record --heap`: tells Valgrind's log of every heap block, where the call happened:

       **P** heap + BLOCK BYTES CALLER        **P** heap - BLOCK        **P** heap = OLD NEW BYTES CALLER

   The log is told by a client request (valgrind.h, VALGRIND_PRINTF, which is not needed to build this); natively that does nothing. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void tell(const char *format, ...) {
    va_list values;
    va_start(values, format);
    volatile unsigned long request[6] = {0x1403 /* PRINTF_VALIST_BY_REF */, (unsigned long)format, (unsigned long)&values, 0, 0, 0};
    unsigned long result = 0;
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                     : "=d"(result) : "a"(request), "0"(result) : "cc", "memory");
    va_end(values);
}

#define CALLER __builtin_return_address(0)
#define TOLD(block, bytes) do { void *p = (block); tell("heap + %p %lu %p\n", p, (unsigned long)(bytes), CALLER); return p; } while (0)
#define FREED(block) do { if (block) tell("heap - %p\n", block); __libc_free(block); } while (0)

void *malloc(size_t n) { TOLD(__libc_malloc(n), n); }
void *calloc(size_t n, size_t size) { TOLD(__libc_calloc(n, size), n * size); }
void *memalign(size_t a, size_t n) { TOLD(__libc_memalign(a, n), n); }
void *aligned_alloc(size_t a, size_t n) { TOLD(__libc_memalign(a, n), n); }
void free(void *p) { FREED(p); }

void *realloc(void *old, size_t n) {
    void *p = __libc_realloc(old, n);
    if (p || !n)
        tell("heap = %p %p %lu %p\n", old, p, (unsigned long)n, CALLER);
    return p;
}

int posix_memalign(void **result, size_t a, size_t n) {
    void *p;
    if (a % sizeof(void *) || a & (a - 1) || !a)
        return EINVAL;
    p = __libc_memalign(a, n);
    if (!p)
        return ENOMEM;
    tell("heap + %p %lu %p\n", p, (unsigned long)n, CALLER);
    *result = p;
    return 0;
}

/* C++'s operators new, so that a block is its caller's and not the library's; what fails, and all that deletes, is left to the library. */
extern void *dlsym(void *, const char *);
#define NEXT ((void *)-1L)
#define NEW(name, PARAMETERS, ARGUMENTS, TYPES, take) \
    void *name PARAMETERS { \
        void *p = take; \
        if (!p) return ((void *(*) TYPES)dlsym(NEXT, #name))ARGUMENTS; \
        tell("heap + %p %lu %p\n", p, (unsigned long)n, CALLER); \
        return p; \
    }
NEW(_Znwm, (size_t n), (n), (size_t), __libc_malloc(n ? n : 1))
NEW(_Znam, (size_t n), (n), (size_t), __libc_malloc(n ? n : 1))
NEW(_ZnwmRKSt9nothrow_t, (size_t n, const void *t), (n, t), (size_t, const void *), __libc_malloc(n ? n : 1))
NEW(_ZnamRKSt9nothrow_t, (size_t n, const void *t), (n, t), (size_t, const void *), __libc_malloc(n ? n : 1))
NEW(_ZnwmSt11align_val_t, (size_t n, size_t a), (n, a), (size_t, size_t), __libc_memalign(a, n ? n : 1))
NEW(_ZnamSt11align_val_t, (size_t n, size_t a), (n, a), (size_t, size_t), __libc_memalign(a, n ? n : 1))
