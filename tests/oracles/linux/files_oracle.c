/* Runs a script of operations on mapped files on the host's kernel and prints what it did.
 *
 * Build: gcc -O1 -static -o files_oracle files_oracle.c     Run: setarch -R ./files_oracle FILE < script > answers.jsonl
 * FILE is made anew. For `file` it should lie on a file system without large folios (ext4 made with -O encrypt) on a device
 * whose read_ahead_kb is 128; for `warm` any file system on a disk will do.
 *
 * The window begins at a fixed, 2 MiB aligned address; offsets and lengths are bytes, PG pages of the file:
 *   file PAGES              a file of PAGES pages, page k full of the byte k + 1, nothing of it in the page cache
 *   warm PAGES              the same, all of it in the page cache, page by page, without read-ahead's marks
 *   map OFF LEN PROT FLAGS PG       mmap MAP_FIXED of the file from page PG on; FLAGS 1 shared, 2 private
 *   anon OFF LEN            MAP_SHARED|MAP_ANONYMOUS|MAP_FIXED, read and write
 *   unmap OFF LEN | protect OFF LEN PROT | advise OFF LEN ADVICE | msync OFF LEN FLAGS
 *   read OFF LEN | write OFF LEN    one byte a page, in order, until the first bad page; a write stores 1
 *   fill OFF LEN BYTE | sum OFF LEN store or add up one byte a page
 *   fsync | truncate BYTES
 *   fork BYTE               the child writes BYTE to every page it may write; the parent's figures follow
 * An answer is one JSON line: ret, minflt, majflt, segv (offset of the bad page or -1), code (SIGSEGV's; 10 + SIGBUS's),
 * value of sum, the pages of the file in the page cache as runs [first, last], and the window's VMAs:
 * [start, end, perms, page of the file, rss, anonymous, dirty], sizes in KiB. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0x100000000000UL
#define WATCH 0x130000000000UL
#define WINDOW (4UL << 20)
#define PAGE 4096L
#define MOST 1024

static sigjmp_buf out;
static volatile long bad;
static volatile int badcode;
static char smaps[1 << 20], altstack[1 << 16], page[PAGE];
static int fd = -1;

static void on_signal(int s, siginfo_t *i, void *c) {
    (void)c;
    bad = (long)((uintptr_t)i->si_addr - BASE) & -PAGE;
    badcode = i->si_code + (s == SIGBUS ? 10 : 0);
    siglongjmp(out, 1);
}

static long perform(int kind, long off, long len, int byte) {
    long total = 0;
    if (sigsetjmp(out, 1)) return -1;
    for (long o = off; o < off + len; o += PAGE) {
        volatile unsigned char *p = (unsigned char *)(BASE + o);
        if (kind == 'r') (void)*p;
        else if (kind == 'w') *p = 1;
        else if (kind == 'f') *p = (unsigned char)byte;
        else total += *p;
    }
    return total;
}

static void warm(void) {
    volatile struct rusage r;
    memset(altstack, 0, sizeof altstack);
    getrusage(RUSAGE_SELF, (struct rusage *)&r);
    perform('r', 1L << 40, PAGE, 0);
    getrusage(RUSAGE_SELF, (struct rusage *)&r);
}

static void make_file(const char *name, long pages, int warm) {
    if (fd >= 0) { munmap((void *)WATCH, MOST * PAGE); close(fd); }
    unlink(name);
    int f = open(name, O_RDWR | O_CREAT, 0600);
    for (long k = 0; k < pages; k++) { memset(page, (int)(k + 1), PAGE); if (pwrite(f, page, PAGE, k * PAGE) != PAGE) abort(); }
    fsync(f);
    if (!warm) posix_fadvise(f, 0, 0, POSIX_FADV_DONTNEED);
    close(f);
    fd = open(name, O_RDWR);
    mmap((void *)WATCH, MOST * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
}

static void cached(void) {
    static unsigned char vec[MOST];
    struct stat s;
    fstat(fd, &s);
    long pages = (s.st_size + PAGE - 1) / PAGE, first = 1;
    memset(vec, 0, sizeof vec);
    if (pages) mincore((void *)WATCH, pages * PAGE, vec);
    printf(", \"cached\": [");
    for (long i = 0; i < pages; i++) {
        long j = i;
        if (!(vec[i] & 1)) continue;
        while (j + 1 < pages && vec[j + 1] & 1) j++;
        printf("%s[%ld, %ld]", first ? "" : ", ", i, j);
        first = 0; i = j;
    }
    printf("]");
}

static void vmas(void) {
    FILE *f = fopen("/proc/self/smaps", "r");
    setvbuf(f, smaps, _IOFBF, sizeof smaps);
    char line[512], perms[8], sp[8] = "";
    unsigned long a, b, o, v, sa = 0, sb = 0, so = 0, rss = 0, anon = 0, dirty = 0;
    int in = 0, first = 1;
    printf(", \"vmas\": [");
    for (;;) {
        char *got = fgets(line, sizeof line, f);
        int head = got && sscanf(line, "%lx-%lx %7s %lx", &a, &b, perms, &o) == 4;
        if ((head || !got) && in) {
            printf("%s[%ld, %ld, \"%s\", %ld, %lu, %lu, %lu]", first ? "" : ", ", (long)(sa - BASE), (long)(sb - BASE), sp, (long)so / PAGE, rss, anon, dirty);
            first = 0; in = 0;
        }
        if (!got) break;
        if (head) {
            if (a >= BASE && a < BASE + WINDOW) { in = 1; sa = a; sb = b; so = o; strcpy(sp, perms); rss = anon = dirty = 0; }
        } else if (in) {
            if (sscanf(line, "Rss: %lu", &v) == 1) rss = v;
            else if (sscanf(line, "Anonymous: %lu", &v) == 1) anon = v;
            else if (sscanf(line, "Shared_Dirty: %lu", &v) == 1 || sscanf(line, "Private_Dirty: %lu", &v) == 1) dirty += v;
        }
    }
    fclose(f);
    printf("]");
}

int main(int argc, char **argv) {
    static char line[512], outbuf[1 << 16];
    if (argc != 2) return 2;
    setvbuf(stdout, outbuf, _IOFBF, sizeof outbuf);
    stack_t ss = {.ss_sp = altstack, .ss_size = sizeof altstack};
    sigaltstack(&ss, 0);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &sa, 0); sigaction(SIGBUS, &sa, 0);
    warm();
    while (fgets(line, sizeof line, stdin)) {
        char op[16]; long x = 0, y = 0, z = 0, u = 0, w = 0;
        if (sscanf(line, "%15s %ld %ld %ld %ld %ld", op, &x, &y, &z, &u, &w) < 1 || op[0] == '#') continue;
        long ret = 0, value = 0;
        struct rusage r0, r1; memset(&r0, 0, sizeof r0); r1 = r0;
        void *at = (void *)(BASE + x);
        bad = -1; badcode = 0; errno = 0;
        if (!strcmp(op, "file") || !strcmp(op, "warm")) make_file(argv[1], x, op[0] == 'w');
        else if (!strcmp(op, "map")) ret = mmap(at, y, z, (int)u | MAP_FIXED, fd, w * PAGE) == MAP_FAILED ? -errno : 0;
        else if (!strcmp(op, "anon")) ret = mmap(at, y, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -errno : 0;
        else if (!strcmp(op, "unmap")) ret = munmap(at, y) ? -errno : 0;
        else if (!strcmp(op, "protect")) ret = mprotect(at, y, z) ? -errno : 0;
        else if (!strcmp(op, "advise")) ret = madvise(at, y, z) ? -errno : 0;
        else if (!strcmp(op, "msync")) ret = msync(at, y, z) ? -errno : 0;
        else if (!strcmp(op, "fsync")) ret = fsync(fd) ? -errno : 0;
        else if (!strcmp(op, "truncate")) ret = ftruncate(fd, x) ? -errno : 0;
        else if (!strcmp(op, "fork")) {
            fflush(stdout);
            int pid = fork();
            if (!pid) {
                for (long o = 0; o < (long)WINDOW; o += PAGE) perform('f', o, PAGE, (int)x);
                _exit(0);
            }
            waitpid(pid, 0, 0);
            warm();
            bad = -1; badcode = 0;
        } else {
            getrusage(RUSAGE_SELF, &r0);
            value = perform(op[0], x, y, (int)z);
            getrusage(RUSAGE_SELF, &r1);
        }
        usleep(3000); /* what was read ahead arrives */
        line[strcspn(line, "\n")] = 0;
        printf("{\"op\": \"%s\", \"ret\": %ld, \"minflt\": %ld, \"majflt\": %ld, \"segv\": %ld, \"code\": %d, \"value\": %ld", line, ret, r1.ru_minflt - r0.ru_minflt, r1.ru_majflt - r0.ru_majflt, bad, badcode, value);
        cached();
        vmas();
        printf("}\n");
    }
    return 0;
}
