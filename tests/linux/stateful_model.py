"""An address space as a plain dictionary: pages, their rights, and every byte that was ever written."""

import errno

from hwmem import params as P

PAGE = P.PAGE
READ, WRITE = P.PROT_READ, P.PROT_WRITE


class Content:
    """What a page may hold: candidates {offset: byte}, zero elsewhere. More than one while MADV_FREE's zeroing is open."""

    def __init__(self, candidates=({},), lazy=False):
        self.candidates, self.lazy = [dict(c) for c in candidates], lazy

    def copy(self):
        return Content(self.candidates, self.lazy)

    def write(self, offset, byte):
        for candidate in self.candidates:
            candidate[offset] = byte
        self.lazy = False  # the page is dirty again, and stays

    def free_lazily(self):
        self.lazy = True
        if {} not in self.candidates:
            self.candidates.append({})

    def expect(self, found):
        """Whether the 4096 bytes `found` are what the page may hold; then it holds them, or may be dropped still."""
        self.candidates = [c for c in self.candidates if page_of(c) == found]
        known = bool(self.candidates)
        if self.lazy:
            self.free_lazily()
        return known


def page_of(written):
    page = bytearray(PAGE)
    for offset, byte in written.items():
        page[offset] = byte
    return bytes(page)


class Mapped:
    """A page that is mapped: its rights, and its content, which other processes may share."""

    def __init__(self, prot, content, shared):
        self.prot, self.content, self.shared = prot, content, shared


class Space:
    """The pages of a process, by page number."""

    def __init__(self, pages=None):
        self.pages = pages or {}

    def map(self, first, n, prot, shared):
        for page in range(first, first + n):
            self.pages[page] = Mapped(prot, Content(), shared)

    def unmap(self, first, n):
        for page in range(first, first + n):
            self.pages.pop(page, None)

    def protect(self, first, n, prot):
        """mprotect: what comes before the first hole is changed all the same. The errno, or 0."""
        for page in range(first, first + n):
            if page not in self.pages:
                return errno.ENOMEM
            self.pages[page].prot = prot
        return 0

    def advise(self, first, n, advice):
        """madvise: holes are skipped, and make it fail in the end. The errno, or 0."""
        failed = 0
        for page in range(first, first + n):
            mapped = self.pages.get(page)
            if mapped is None:
                failed = errno.ENOMEM
            elif advice == P.MADV_FREE and mapped.shared:
                return errno.EINVAL
            elif advice == P.MADV_DONTNEED and not mapped.shared:
                mapped.content = Content()
            elif advice == P.MADV_FREE:
                mapped.content.free_lazily()
        return failed

    def move(self, first, n, target, new):
        """mremap: `n` pages become `new` ones at `target`."""
        moved = [self.pages.pop(first + k) for k in range(n)]
        self.unmap(target, new)
        for k, mapped in enumerate(moved[:new]):
            self.pages[target + k] = mapped
        for k in range(n, new):
            self.pages[target + k] = Mapped(moved[0].prot, Content(), moved[0].shared)

    def fork(self):
        return Space({page: Mapped(m.prot, m.content if m.shared else m.content.copy(), m.shared) for page, m in self.pages.items()})

    def refusal(self, page, write):
        """The code of the SIGSEGV that an access gets, or None."""
        if page not in self.pages:
            return "SEGV_MAPERR"
        allowed = self.pages[page].prot & (WRITE if write else READ | WRITE)
        return None if allowed else "SEGV_ACCERR"
