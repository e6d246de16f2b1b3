"""What a check can find: a code, up to four numbers, a sentence.

A check returns 0, or what `fault` returns: the code of the sentence in which check.py puts the numbers.
"""
from hwmem._jit import kernel

(NOT_OCCUPIED, WRONG_SET, TWICE_IN_SET, BEHIND_LAST_WAY, BAD_ORDER, FREE_NOT_DEEPEST,
 BAD_STATE, BAD_FLAGS, TWO_COPIES, TWO_OWNERS, BAD_LINK, LOST_BY_L2, NOT_IN_LLC, NOT_A_SHARER, NOT_OWNED,
 BAD_DIRECTORY_STATE, BAD_OWNER, BAD_SHARERS, OTHER_SOCKET, NOT_REMOTE,
 HOT_SLOT, HOT_NOT_IN_L1, HOT_NOT_RECENT, HOT_STORE, HOT_WAITING, HOT_TRANSLATION, HOT_PAGE,
 NOT_PLAIN, BUFFER_COUNT, BUFFER_ENTRY, BUFFER_ORDER,
 BAD_FRAME, FRAME_TWICE, BAD_FREE_LIST, FRAME_COUNTS, FRAMES_USED, PROCESS_PAGES, PROCESS_TABLES,
 TLB_NO_PROCESS, TLB_WRONG, TLB_RIGHTS, PAGING_CACHE, LAST_TABLE,
 BAD_COUNT) = range(1, 45)

SENTENCES = {
    NOT_OCCUPIED: "{array} of {owner}: entry {0} holds {1:#x} without the occupied bit",
    WRONG_SET: "{array} of {owner}: entry {0} holds key {1:#x}, which belongs to the set at {2}",
    TWICE_IN_SET: "{array} of {owner}: key {1:#x} is in entries {0} and {2}",
    BEHIND_LAST_WAY: "{array} of {owner}: entry {0}, behind its set's last way, holds {1:#x}",
    BAD_ORDER: "{array} of {owner}: the replacement state of set {0} is {1:#x}, not one of {2} ways",
    FREE_NOT_DEEPEST: "{array} of {owner}: set {0} has free ways, but its victim is way {1}, in use",
    BAD_STATE: "core {0}: a copy of line {1:#x} is in {2:S}, the core in {3:S}, which the protocol does not have",
    BAD_FLAGS: "core {0}: line {1:#x} has the tag {2:#x}: bits that a private copy has not",
    TWO_COPIES: "line {1:#x}: core {0} holds it in {2:S}, and core {3} has a copy too",
    TWO_OWNERS: "line {1:#x}: cores {0} and {3} both hold it in {2:S}",
    BAD_LINK: "core {0}: an entry of line {1:#x} is linked to entry {2}, its fellow is entry {3} (-1: none)",
    LOST_BY_L2: "core {0}: the L1D takes line {1:#x}, in E, to be in the L2, where it is in {2:S}",
    NOT_IN_LLC: "line {1:#x}: core {0} holds it in {2:S}, the inclusive LLC of its socket has it not",
    NOT_A_SHARER: "line {1:#x}: core {0} holds it in {2:S}, the directory names cores {3:mask}",
    NOT_OWNED: "line {1:#x}: core {0} holds it in {2:S}, the directory says {3:D}",
    BAD_DIRECTORY_STATE: "LLC of socket {0}: line {1:#x} has the tag {2:#x}: no directory state, or an owner it cannot have",
    BAD_OWNER: "LLC of socket {0}: line {1:#x} is owned by core {2}, which holds it in {3:S}",
    BAD_SHARERS: "LLC of socket {0}: line {1:#x} is shared by cores {2:mask}, not all of the socket",
    OTHER_SOCKET: "line {1:#x}: core {0} holds it in {2:S}, and the LLC of socket {3}, another one, has it too",
    NOT_REMOTE: "LLC of socket {0}: line {1:#x} is not marked remote, and socket {3} has it too",
    HOT_SLOT: "core {0}: slot {1} of the hit filter holds {2:#x}, which belongs elsewhere",
    HOT_NOT_IN_L1: "core {0}: the hit filter has {1:#x} (physical {2:#x}), the L1D has it not",
    HOT_NOT_RECENT: "core {0}: the hit filter has {1:#x} (physical {2:#x}), not the most recent of its L1D set",
    HOT_STORE: "core {0}: the hit filter lets stores to {1:#x} go ahead; its state is {2:S}, {3} stores are waiting",
    HOT_WAITING: "core {0}: the hit filter has {1:#x}, for which a store is waiting",
    HOT_TRANSLATION: "core {0}: the hit filter takes {1:#x} to be physical {2:#x}; its page-table entry is {3:#x}",
    HOT_PAGE: "core {0}: the hit filter has the page of {1:#x}; it is not the most recent of its TLB set, or lacks a right",
    NOT_PLAIN: "core {0}: the memory door may take its short way; {1} stores are waiting, watching is {2}",
    BUFFER_COUNT: "core {0}: {1} stores are waiting, the store buffer has {2} entries",
    BUFFER_ENTRY: "core {0}: entry {1} of the store buffer: {3} bytes at physical {2:#x}",
    BUFFER_ORDER: "core {0}: entry {1} of the store buffer is due at {2}, before the one ahead of it",
    BAD_FRAME: "process {0}: the page-table entry at {1:#x} leads to frame {2:#x}, which was not handed out",
    FRAME_TWICE: "process {0}: the page-table entry at {1:#x} leads to frame {2:#x}, which something else has too",
    BAD_FREE_LIST: "free frames: {0:#x} at place {1} of the list is in use, was not handed out, or is there twice",
    FRAME_COUNTS: "frames: {0} free, {1} used, {2} handed out of {3}",
    FRAMES_USED: "frames: {0} are said to be used, the processes have {1}",
    PROCESS_PAGES: "process {0}: {1} pages are counted, {2} are mapped",
    PROCESS_TABLES: "process {0}: {1} page tables are counted, there are {2}",
    TLB_NO_PROCESS: "{array} of {owner}: key {0:#x} is of address space {1}, which no process has",
    TLB_WRONG: "{array} of {owner}: {0:#x} of process {1} is {2:#x}, the page table says {3:#x}",
    TLB_RIGHTS: "{array} of {owner}: {0:#x} of process {1} is {2:#x}: more rights than the page table's {3:#x}",
    PAGING_CACHE: "{array} of {owner}: {0:#x} of process {1} leads to table {2:#x}, the page table to {3:#x}",
    LAST_TABLE: "core {0}: the walker takes entry {1:#x} of its pde cache, table {2:#x}, to be the most recent; it is not",
    BAD_COUNT: "counters of {owner}: {identity}: {0} and {1}",
}


@kernel
def fault(found, code, a, b, c, d):
    """Note the numbers of a fault; returns its code."""
    found[0], found[1], found[2], found[3] = a, b, c, d
    return code
