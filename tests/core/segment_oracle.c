/* What a real kernel and processor do with one access through an LDT segment, in 32-bit mode.
 *
 * gcc -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector, with -D of
 *   BASE, LIMIT, FLAGS   of struct user_desc (modify_ldt(2)); BASE is relative to `memory`
 *   OFFSET               of the access, 4 bytes; a load through FS, with WRITE a store, with STACK a load through SS
 *   SELECTOR             7: the LDT's first entry, 0: null
 * Exit status: 0 the access went well; else signal | SI_KERNEL << 6 | (si_addr != 0) << 7; 100 modify_ldt refused.
 */
typedef unsigned int u32;

struct user_desc { u32 entry, base, limit, flags; };
struct action { void *handler; u32 flags; void *restorer; u32 mask[2]; };

static char memory[8192] __attribute__((aligned(4096))), alternate_stack[8192];

static int call(int number, u32 a, u32 b, u32 c, u32 d)
{
    int result;
    asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

static void handler(int signal, int *info, void *context)
{
    call(1, signal | (info[2] == 0x80) << 6 | (info[3] != 0) << 7, 0, 0, 0);
}

void _start(void)
{
    struct action action = { handler, 4 | 0x08000000, 0, { 0, 0 } };            /* SA_SIGINFO, SA_ONSTACK */
    struct user_desc entry = { 0, (u32)memory + BASE, LIMIT, FLAGS };
    u32 stack[3] = { (u32)alternate_stack, 0, sizeof alternate_stack };
    call(186, (u32)stack, 0, 0, 0);                                             /* sigaltstack */
    call(174, 11, (u32)&action, 0, 8);                                          /* rt_sigaction SIGSEGV, SIGBUS */
    call(174, 7, (u32)&action, 0, 8);
    if (call(123, 1, (u32)&entry, sizeof entry, 0))                             /* modify_ldt */
        call(1, 100, 0, 0, 0);
#if defined(STACK)
    asm volatile("mov %%ss, %%ecx; mov %%ax, %%ss; mov %1, %%edx; movl %%ss:(%%edx), %%edx; mov %%cx, %%ss"
                 :: "a"(SELECTOR), "i"(OFFSET) : "ecx", "edx", "memory");
#elif defined(WRITE)
    asm volatile("mov %%ax, %%fs; movl %1, %%edx; movl %%edx, %%fs:(%%edx)" :: "a"(SELECTOR), "i"(OFFSET) : "edx", "memory");
#else
    asm volatile("mov %%ax, %%fs; movl %1, %%edx; movl %%fs:(%%edx), %%edx" :: "a"(SELECTOR), "i"(OFFSET) : "edx", "memory");
#endif
    call(1, 0, 0, 0, 0);
}
