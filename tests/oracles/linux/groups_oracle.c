/* Runs a script of several processes of one memory group on the host's kernel and prints what became of them.
 *
 * Build: gcc -O1 -static -o groups_oracle groups_oracle.c
 * Run as root, where a memory controller of cgroup v1 is mounted (v2's memory.stat has other names, which are known too):
 *     setarch -R ./groups_oracle FOLDER FILE < script > answers.jsonl
 * FOLDER: of the hierarchy, where a group is made and removed again; FILE: a file of 4 MiB on a disk, whose pages go from the
 * page cache first. A line is
 *   group PAGES               the first one: the group's limit
 *   P start ADJ               process P begins, in the group, with this oom_score_adj (below 0: with CAP_SYS_RESOURCE alone)
 *   P anon OFF N | P shmem OFF N      N pages mapped at page OFF of its window and written to, private or shared
 *   P file OFF N FIRST LOCK   N pages of FILE from page FIRST on, mapped and read, or locked
 *   P fork Q | P drop OFF N | P dontneed OFF N | P end
 *   stat                      the group's figures, in pages, once the kernel has gathered them
 * An answer: which processes live, and of stat the figures. A process that is killed in the middle of a line is waited for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE 0x100000000000UL
#define PAGE 4096UL
#define PROCESSES 4
#define FILE_PAGES 1024
#define GATHERED 2300000 /* microseconds after which memory.stat is exact (FLUSH_TIME, mm/memcontrol.c) */
#define SETTLED 60000    /* after which who was killed is gone */

struct order { char op[16]; long n[4]; volatile long seq, done; long pid; };
static struct order *mail; /* one a process, shared */
static char group[512];
static int fd;

static void put(const char *name, const char *text) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", group, name);
    int f = open(path, O_WRONLY);
    if (f < 0 || write(f, text, strlen(text)) < 0) { perror(path); _exit(1); }
    close(f);
}

static void touch(char *at, long n, int w) {
    for (long k = 0; k < n; k++) {
        volatile char *p = at + k * PAGE;
        if (w) *p = 1; else (void)*p;
    }
}

static void work(int me) {
    for (long seen = 0;;) {
        struct order *o = &mail[me];
        while (o->seq == seen) usleep(300);
        seen = o->seq;
        char *at = (char *)BASE + o->n[0] * PAGE;
        long len = o->n[1] * PAGE;
        if (!strcmp(o->op, "anon") || !strcmp(o->op, "shmem")) {
            int how = o->op[0] == 'a' ? MAP_PRIVATE : MAP_SHARED;
            if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_ANONYMOUS | how, -1, 0) == MAP_FAILED) _exit(1);
            touch(at, o->n[1], 1);
        } else if (!strcmp(o->op, "file")) {
            if (mmap(at, len, PROT_READ, MAP_FIXED | MAP_SHARED, fd, o->n[2] * PAGE) == MAP_FAILED) _exit(1);
            madvise(at, len, MADV_RANDOM); /* no page but those that are asked for */
            if (o->n[3]) mlock(at, len); else touch(at, o->n[1], 0);
        } else if (!strcmp(o->op, "drop")) munmap(at, len);
        else if (!strcmp(o->op, "dontneed")) madvise(at, len, MADV_DONTNEED);
        else if (!strcmp(o->op, "fork")) {
            int q = (int)o->n[0];
            mail[q].seq = mail[q].done = 0;
            pid_t pid = fork();
            if (pid == 0) { me = q; seen = 0; continue; }
            mail[q].pid = pid;
        } else if (!strcmp(o->op, "end")) { o->done = seen; _exit(0); }
        o->done = seen;
    }
}

static int lives(int p) { return mail[p].pid && kill(mail[p].pid, 0) == 0; }

static void start(int p, long adj) {
    mail[p].seq = mail[p].done = 0;
    pid_t pid = fork();
    if (pid == 0) {
        char text[32];
        snprintf(text, sizeof text, "%d", getpid());
        put("cgroup.procs", text);
        int f = open("/proc/self/oom_score_adj", O_WRONLY);
        snprintf(text, sizeof text, "%ld", adj);
        if (write(f, text, strlen(text)) < 0) { perror("oom_score_adj"); mail[p].done = -2; _exit(1); }
        close(f);
        mail[p].done = -1;
        work(p);
    }
    mail[p].pid = pid;
    while (mail[p].done == 0) usleep(300);
    if (mail[p].done != -1) exit(1);
}

static const char *NAMES[] = {"rss", "cache", "shmem", "mapped_file", "inactive_anon", "active_anon", "inactive_file", "active_file",
                              "unevictable"};
static const char *NAMES2[] = {"anon", "file", "shmem", "file_mapped", "inactive_anon", "active_anon", "inactive_file", "active_file",
                               "unevictable"};
#define N_NAMES (sizeof NAMES / sizeof *NAMES)

static void print_stat(void) {
    char path[600], name[64];
    unsigned long v;
    void *own = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(own, 1, 4 << 20);
    madvise(own, 4 << 20, 25); /* MADV_COLLAPSE empties every core's batches of pages on their way to a list (lru_add_drain_all) */
    munmap(own, 4 << 20);
    usleep(GATHERED);
    snprintf(path, sizeof path, "%s/memory.stat", group);
    FILE *s = fopen(path, "r");
    unsigned long figures[N_NAMES] = {0};
    while (fscanf(s, "%63s %lu", name, &v) == 2)
        for (unsigned k = 0; k < N_NAMES; k++) if (!strcmp(name, NAMES[k]) || !strcmp(name, NAMES2[k])) figures[k] = v / PAGE;
    fclose(s);
    printf(", \"stat\": {");
    for (unsigned k = 0; k < N_NAMES; k++) printf("%s\"%s\": %lu", k ? ", " : "", NAMES2[k], figures[k]);
    printf("}");
}

int main(int argc, char **argv) {
    char line[600], text[64];
    long limit;
    if (argc < 3 || !fgets(line, sizeof line, stdin) || sscanf(line, "group %ld", &limit) != 1) return 1;
    signal(SIGCHLD, SIG_IGN);
    fd = open(argv[2], O_RDONLY);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    snprintf(group, sizeof group, "%s/memory-oracle-%d", argv[1], getpid());
    if (mkdir(group, 0755)) { perror(group); return 1; }
    snprintf(text, sizeof text, "%ld", limit * (long)PAGE);
    snprintf(line, sizeof line, "%s/memory.max", group);
    put(access(line, F_OK) ? "memory.limit_in_bytes" : "memory.max", text);
    mail = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    while (fgets(line, sizeof line, stdin)) {
        int p = 0;
        struct order o = {0};
        line[strcspn(line, "\n")] = 0;
        printf("{\"op\": \"%s\"", line);
        if (!strcmp(line, "stat")) print_stat();
        else if (sscanf(line, "%d %15s %ld %ld %ld %ld", &p, o.op, &o.n[0], &o.n[1], &o.n[2], &o.n[3]) < 2) return 1;
        else if (!strcmp(o.op, "start")) { if (!lives(p)) start(p, o.n[0]); }
        else if (lives(p)) {
            memcpy(mail[p].op, o.op, sizeof o.op);
            memcpy(mail[p].n, o.n, sizeof o.n);
            long seq = ++mail[p].seq;
            while ((mail[p].done != seq || !strcmp(o.op, "end")) && lives(p)) usleep(300);
            usleep(SETTLED);
        }
        printf(", \"alive\": [");
        for (int k = 0; k < PROCESSES; k++) printf("%s%d", k ? ", " : "", lives(k));
        printf("]}\n");
        fflush(stdout);
    }
    for (int k = 0; k < PROCESSES; k++) if (lives(k)) kill(mail[k].pid, SIGKILL);
    for (int k = 0; k < 100 && rmdir(group); k++) usleep(20000);
    return 0;
}
