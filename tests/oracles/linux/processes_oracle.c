/* Runs a script of memory system calls in several processes on the host's kernel and prints what it did.
 *
 * Build: gcc -O1 -static -o processes_oracle processes_oracle.c     Run: setarch -R ./processes_oracle [FILE] < script > answers.jsonl
 * FILE: what `file` maps, on a disk; all of it is in the page cache and clean when the script begins.
 *
 * A coordinator starts process 0 and hands each line to the process that it names; the process makes the call, or the accesses,
 * and says how it went; then the coordinator reads the window of every living process from /proc. A line is a process, an
 * operation and numbers; offsets and lengths are bytes from the window's start:
 *   P map OFF LEN PROT FLAGS      mmap with MAP_FIXED and these flags (MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, ...)
 *   P file OFF LEN PROT FLAGS PAGE      the same of FILE, from its page PAGE on; P sync OFF LEN: msync, MS_SYNC
 *   P unmap OFF LEN | P protect OFF LEN PROT | P advise OFF LEN ADVICE
 *   P lock OFF LEN FLAGS | P unlock OFF LEN | P lockall FLAGS | P unlockall
 *   P move OFF OLD NEW FLAGS TO   mremap; TO counts with MREMAP_FIXED and MREMAP_DONTUNMAP
 *   P read OFF LEN | P write OFF LEN      one byte a page, in order, until the first bad page
 *   P refs N                      a write to /proc/self/clear_refs
 *   P fork Q                      process Q, which is not alive, becomes P's child
 *   P exit
 * An answer is one JSON line: ret (0, or -errno; of fork and move 0 for whatever succeeds), segv (offset of the bad page or -1),
 * sig (its signal and si_code, 256 * signal + code), and for every process, [] for those not alive, VmLck and the window's VMAs:
 * [start, end, perms, flags, Rss, Pss, Pss_Dirty, Shared_Clean, Shared_Dirty, Private_Clean, Private_Dirty, Referenced, Anonymous,
 * LazyFree, AnonHugePages, Locked], bounds in bytes, figures in KiB. */
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0x100000000000UL
#define WINDOW (64UL << 20)
#define PAGE 4096UL
#define PROCESSES 4

struct order { char op[16]; long n[5]; };
struct result { long ret, segv, sig, pid; };

static int orders[PROCESSES][2], results[PROCESSES][2];
static int fd = -1;
static sigjmp_buf out;
static volatile long bad;
static volatile int badsig;

static void on_signal(int s, siginfo_t *i, void *c) {
    (void)c;
    bad = (long)((uintptr_t)i->si_addr - BASE);
    badsig = 256 * s + i->si_code;
    siglongjmp(out, 1);
}

static void touch(int write, long off, long len) {
    if (sigsetjmp(out, 1)) return;
    for (long o = off; o < off + len; o += PAGE) {
        volatile unsigned char *p = (unsigned char *)(BASE + o);
        if (write) *p = 1;
        else (void)*p;
    }
}

static long failed(long r) { return r == -1 ? -errno : 0; }

static void work(int me) {
    struct order o;
    while (read(orders[me][0], &o, sizeof o) == sizeof o) {
        struct result r = {0, -1, 0, 0};
        char *at = (char *)BASE + o.n[0];
        bad = -1; badsig = 0;
        if (!strcmp(o.op, "map")) r.ret = failed((long)mmap(at, o.n[1], o.n[2], o.n[3] | MAP_FIXED, -1, 0));
        else if (!strcmp(o.op, "file"))
            r.ret = failed((long)mmap(at, o.n[1], o.n[2], o.n[3] | MAP_FIXED, fd, o.n[4] * PAGE));
        else if (!strcmp(o.op, "sync")) r.ret = failed(msync(at, o.n[1], MS_SYNC));
        else if (!strcmp(o.op, "unmap")) r.ret = failed(munmap(at, o.n[1]));
        else if (!strcmp(o.op, "protect")) r.ret = failed(mprotect(at, o.n[1], o.n[2]));
        else if (!strcmp(o.op, "advise")) r.ret = failed(madvise(at, o.n[1], o.n[2]));
        else if (!strcmp(o.op, "lock")) r.ret = failed(o.n[2] ? syscall(SYS_mlock2, at, o.n[1], o.n[2]) : mlock(at, o.n[1]));
        else if (!strcmp(o.op, "unlock")) r.ret = failed(munlock(at, o.n[1]));
        else if (!strcmp(o.op, "lockall")) r.ret = failed(mlockall(o.n[0]));
        else if (!strcmp(o.op, "unlockall")) r.ret = failed(munlockall());
        else if (!strcmp(o.op, "move")) r.ret = failed(syscall(SYS_mremap, at, o.n[1], o.n[2], o.n[3], BASE + o.n[4]));
        else if (!strcmp(o.op, "refs")) {
            int f = open("/proc/self/clear_refs", O_WRONLY);
            char text[24]; int n = snprintf(text, sizeof text, "%ld", o.n[0]);
            r.ret = write(f, text, n) == n ? 0 : -errno;
            close(f);
        }
        else if (!strcmp(o.op, "fork")) {
            int q = (int)o.n[0];
            r.pid = fork();
            if (r.pid == 0) { me = q; continue; }
            r.ret = r.pid < 0 ? -errno : 0;
        }
        else if (!strcmp(o.op, "exit")) {
            (void)!write(results[me][1], &r, sizeof r);
            _exit(0);
        }
        else touch(o.op[0] == 'w', o.n[0], o.n[1]);
        r.segv = bad; r.sig = badsig;
        (void)!write(results[me][1], &r, sizeof r);
    }
    _exit(0);
}

static const char *FIGURES[] = {"Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced",
                                "Anonymous", "LazyFree", "AnonHugePages", "Locked"};
#define N_FIGURES (sizeof FIGURES / sizeof *FIGURES)

static void show(long pid) {
    char path[64], line[512], perms[8], flags[256] = "", name[64];
    unsigned long a, b, v, f[N_FIGURES], sa = 0, sb = 0, locked = 0;
    char sp[8] = "";
    int in = 0, first = 1;
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *s = fopen(path, "r");
    while (fgets(line, sizeof line, s)) if (sscanf(line, "VmLck: %lu", &v) == 1) locked = v;
    fclose(s);
    printf("[%lu, [", locked);
    snprintf(path, sizeof path, "/proc/%ld/smaps", pid);
    s = fopen(path, "r");
    for (;;) {
        char *got = fgets(line, sizeof line, s);
        int head = got && sscanf(line, "%lx-%lx %7s", &a, &b, perms) == 3;
        if ((head || !got) && in) {
            printf("%s[%ld, %ld, \"%s\", \"%s\"", first ? "" : ", ", (long)(sa - BASE), (long)(sb - BASE), sp, flags);
            for (unsigned k = 0; k < N_FIGURES; k++) printf(", %lu", f[k]);
            printf("]");
            first = 0; in = 0;
        }
        if (!got) break;
        if (head) {
            if (a >= BASE && a < BASE + WINDOW) { in = 1; sa = a; sb = b; strcpy(sp, perms); memset(f, 0, sizeof f); }
        } else if (in && !strncmp(line, "VmFlags: ", 9)) {
            line[strcspn(line, "\n")] = 0;
            snprintf(flags, sizeof flags, "%.250s", line + 9);
            flags[strlen(flags) - 1] = 0;
        } else if (in && sscanf(line, "%63[^:]: %lu", name, &v) == 2) {
            for (unsigned k = 0; k < N_FIGURES; k++) if (!strcmp(name, FIGURES[k])) f[k] = v;
        }
    }
    fclose(s);
    printf("]]");
}

static void warm(const char *path) {
    fd = open(path, O_RDWR);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* what was written may lie in large folios, which are dirty as a whole */
    long len = lseek(fd, 0, SEEK_END);
    volatile char *p = mmap(0, len, PROT_READ, MAP_SHARED, fd, 0);
    madvise((void *)p, len, MADV_RANDOM); /* so that nothing is marked as used when it is unmapped */
    for (long o = 0; o < len; o += PAGE) (void)p[o];
    munmap((void *)p, len);
}

int main(int argc, char **argv) {
    if (argc > 1) warm(argv[1]);
    long pids[PROCESSES] = {0};
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    sigaction(SIGSEGV, &sa, 0); sigaction(SIGBUS, &sa, 0);
    signal(SIGCHLD, SIG_IGN);
    for (int k = 0; k < PROCESSES; k++) if (pipe(orders[k]) || pipe(results[k])) return 1;
    pids[0] = fork();
    if (!pids[0]) work(0);
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        int p; struct order o; struct result r;
        memset(&o, 0, sizeof o);
        int n = sscanf(line, "%d %15s %ld %ld %ld %ld %ld", &p, o.op, &o.n[0], &o.n[1], &o.n[2], &o.n[3], &o.n[4]);
        if (n < 2 || !pids[p]) continue;
        (void)!write(orders[p][1], &o, sizeof o);
        if (read(results[p][0], &r, sizeof r) != sizeof r) return 1;
        if (!strcmp(o.op, "fork") && r.ret == 0) pids[o.n[0]] = r.pid;
        if (!strcmp(o.op, "exit")) {
            while (kill(pids[p], 0) == 0) usleep(200);
            pids[p] = 0;
        }
        line[strcspn(line, "\n")] = 0;
        printf("{\"op\": \"%s\", \"ret\": %ld, \"segv\": %ld, \"sig\": %ld, \"processes\": [", line, r.ret, r.segv, r.sig);
        for (int k = 0; k < PROCESSES; k++) {
            if (k) printf(", ");
            if (pids[k]) show(pids[k]); else printf("[]");
        }
        printf("]}\n");
        fflush(stdout);
    }
    for (int k = 0; k < PROCESSES; k++) if (pids[k]) kill(pids[k], SIGKILL);
    return 0;
}
