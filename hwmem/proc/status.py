"""/proc/PID/status, stat and statm: the counts of a process as a whole.

Only what the machine has is in status (no signals, groups, capabilities), in the kernel's order; stat has all its fields,
0 where there is nothing. Source: fs/proc/task_mmu.c (task_mem, task_statm), fs/proc/array.c (do_task_stat).
"""
from collections import namedtuple

import numpy as np

from hwmem import params as P
from hwmem.proc.walk import mapping_kinds

STAT = ("pid", "comm", "state", "ppid", "pgrp", "session", "tty_nr", "tpgid", "flags", "minflt", "cminflt", "majflt", "cmajflt",
        "utime", "stime", "cutime", "cstime", "priority", "nice", "num_threads", "itrealvalue", "starttime", "vsize", "rss", "rsslim",
        "startcode", "endcode", "startstack", "kstkesp", "kstkeip", "signal", "blocked", "sigignore", "sigcatch", "wchan", "nswap",
        "cnswap", "exit_signal", "processor", "rt_priority", "policy", "delayacct_blkio_ticks", "guest_time", "cguest_time",
        "start_data", "end_data", "start_brk", "arg_start", "arg_end", "env_start", "env_end", "exit_code")     # proc_pid_stat(5)
STATM = ("size", "resident", "shared", "text", "lib", "data", "dt")
RUSAGE = ("minflt", "majflt", "nswap", "maxrss")
NO_LIMIT = (1 << 64) - 1        # as the kernel prints RLIM_INFINITY
COMM = "program"

Stat, Statm, Rusage = namedtuple("Stat", STAT), namedtuple("Statm", STATM), namedtuple("Rusage", RUSAGE)


def kib(pages):
    return pages * P.PAGE >> 10


def resident(task):
    return int(task.anon + task.file + task.shared)


def kinds(process):
    """Pages of data, of stack, of executable VMAs."""
    pages = np.zeros(3, np.int64)
    mapping_kinds(process.machine.state, process.number, pages)
    return pages.tolist()


def text_pages(task):
    return int(-(-task.end_code // P.PAGE) - task.start_code // P.PAGE)


def status(process):
    """The memory fields of status, in bytes, in the kernel's order."""
    task = process.record
    data, stack, executable = kinds(process)
    text = text_pages(task)
    pages = {"VmPeak": max(task.peak_vm, task.total_vm), "VmSize": task.total_vm, "VmLck": task.locked_vm, "VmPin": 0,
             "VmHWM": max(task.peak, resident(task)), "VmRSS": resident(task), "RssAnon": task.anon, "RssFile": task.file,
             "RssShmem": task.shared, "VmData": data, "VmStk": stack, "VmExe": text, "VmLib": max(executable - text, 0),
             "VmPTE": max(task.table_pages - 1, 0), "VmSwap": task.swapped}     # the root table is not counted there
    return {name: int(n) * P.PAGE for name, n in pages.items()} | {"HugetlbPages": 0}


def status_text(process):
    number = process.number + 1
    head = (("Name", COMM), ("State", "R (running)"), ("Tgid", number), ("Pid", number), ("PPid", parent_of(process)))
    tail = (("THP_enabled", int(process.machine.state.mm.thp != P.THP_NEVER)), ("Threads", process.thread_count()))
    return "".join([f"{name}:\t{value}\n" for name, value in head] +
                   [f"{name}:\t{n >> 10:8} kB\n" for name, n in status(process).items()] +
                   [f"{name}:\t{value}\n" for name, value in tail])


def parent_of(process):
    """Its parent's pid; 0 for a process that was spawned."""
    return process.parent.number + 1 if process.parent else 0


def stat(process):
    """proc_pid_stat(5)'s fields as ints, `comm` and `state` as text; sizes as the kernel prints them."""
    task = process.record
    fields = dict.fromkeys(STAT, 0) | {
        "pid": process.number + 1, "comm": f"({COMM})", "state": "R", "ppid": parent_of(process), "tpgid": -1, "minflt": task.minflt,
        "majflt": task.majflt, "priority": 20, "num_threads": process.thread_count(), "vsize": task.total_vm * P.PAGE,
        "rss": resident(task), "rsslim": NO_LIMIT, "startcode": task.start_code, "endcode": task.end_code,
        "startstack": task.start_stack, "exit_signal": 17, "start_data": task.start_data, "end_data": task.end_data,
        "start_brk": task.start_brk}
    return Stat(**{name: value if isinstance(value, str) else int(value) for name, value in fields.items()})


def stat_text(process):
    return " ".join(map(str, stat(process))) + "\n"


def statm(process):
    """proc_pid_statm(5)'s fields, pages."""
    task = process.record
    data, stack, _ = kinds(process)
    return Statm(int(task.total_vm), resident(task), int(task.file + task.shared), text_pages(task), 0, data + stack, 0)


def statm_text(process):
    return " ".join(map(str, statm(process))) + "\n"


def rusage(process):
    """getrusage(2): faults, and the most memory the process had (KiB). `nswap`, which Linux leaves at 0, are its pages
    that are in swap."""
    task = process.record
    return Rusage(int(task.minflt), int(task.majflt), int(task.swapped), kib(max(int(task.peak), resident(task))))
