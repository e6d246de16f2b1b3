/* A program whose data references are one stream, for cachegrind (cachegrind.py).
 *
 * walk COUNT FIRST STRIDE SPAN     loads at FIRST, FIRST + STRIDE, ..., back by SPAN when it is passed: nothing but them
 * walk COUNT FILE                  accesses at the int64 in FILE, over and over; bit 0 set: a store. Each is a load of the
 *                                  array besides, which cachegrind.py does not count as the stream's
 *
 * The loads are added up: valgrind drops loads whose value nobody uses. gcc -O2. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MEMORY (64l << 20)

typedef int64_t i64;

static i64 walk(char *memory, i64 count, i64 at, i64 stride, i64 span) {
    i64 sum = 0;
    while (count > 0) {
        i64 left = (span - at + stride - 1) / stride;
        if (left > count) left = count;
        char *p = memory + at;
#pragma GCC unroll 8
        for (i64 i = 0; i < left; i++, p += stride) sum += *(volatile i64 *)p;
        at = p - memory - span;
        count -= left;
    }
    return sum;
}

static i64 follow(char *memory, i64 count, const i64 *addresses, i64 length) {
    i64 sum = 0;
    for (i64 done = 0; done < count; done += length) {
        i64 n = count - done < length ? count - done : length;
        for (i64 i = 0; i < n; i++) {
            i64 address = addresses[i];
            if (address & 1) *(volatile i64 *)(memory + address - 1) = sum;
            else sum += *(volatile i64 *)(memory + address);
        }
    }
    return sum;
}

int main(int argc, char **argv) {
    char *memory = mmap(0, MEMORY + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return 1;
    if (argc == 5) return walk(memory, atol(argv[1]), atol(argv[2]), atol(argv[3]), atol(argv[4])) == 1;
    if (argc != 3) return 2;
    struct stat file;
    int fd = open(argv[2], O_RDONLY);
    if (fd < 0 || fstat(fd, &file)) return 1;
    i64 *addresses = mmap(0, file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (addresses == MAP_FAILED) return 1;
    return follow(memory, atol(argv[1]), addresses, file.st_size / sizeof(i64)) == 1;
}
