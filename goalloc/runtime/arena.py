"""A user arena as Python drives it. Go: package arena."""

from hwmem.machine.lock import one_at_a_time
from hwmem.machine.arguments import to_int64
from goalloc import params as P
from goalloc.values.arena import ALLOC, CLONE, FREE, NEW, ONE
from goalloc.runtime.arguments import check_count
from goalloc.errors import OUT_OF_MEMORY, TEXTS, FatalError
from goalloc.observe.inspect import Inspector
from goalloc.layout import DECLARED, mspan, pointer_words, userArena, variables as V
from goalloc.runtime.slice import Slice
from goalloc.types import Type, check_type, pointer

ARENA_TYPE, CHUNK_TYPE = (Type(name, DECLARED[name].size, 8, pointer_words(name)) for name in ("userArena", "liveUserArenaChunk"))


@one_at_a_time(lambda self: self.rt.machine)
class UserArena:
    """Made by Runtime.arena. `.address`: of its userArena. It allocates as the P of the core it was made on.

    What is accessed after `free` faults, as in Go, except in the chunk that was in use last: the next arena goes on with it.
    """

    def __init__(self, rt, core):
        self.rt, self.core = rt, core
        for i, of in enumerate((ARENA_TYPE, CHUNK_TYPE, pointer)):
            rt.process.store(V.arenaTypes + 8 * i, rt.type_address(of), core=core)
        self.address = self._call(NEW, 0, 0, 0)

    def new(self, of):
        """arena.New[T]: address of an object of a type, zeroed."""
        check_type(of)
        return self._call(ALLOC, self.address, self.rt.type_address(of), ONE)

    def slice(self, of, n, cap=None):
        """arena.MakeSlice[T]: a Slice of `n` elements, with room for `cap`."""
        check_type(of)
        cap = n if cap is None else cap
        if not isinstance(n, int) or not isinstance(cap, int) or not 0 <= n <= cap:
            raise ValueError(f"n: takes a count from 0 to cap, got {n!r} and {cap!r}")
        if cap * of.size >= 1 << 64:
            raise FatalError(TEXTS[OUT_OF_MEMORY], OUT_OF_MEMORY)
        check_count(cap, "cap")
        return Slice(self._call(ALLOC, self.address, self.rt.type_address(of), cap), n, cap, of)

    def clone(self, address, of):
        """arena.Clone: address of a copy in the heap, or `address` itself if it does not lie in an arena."""
        check_type(of)
        return self._call(CLONE, to_int64("address", address), self.rt.type_address(of), of.size)

    def free(self):
        """Arena.Free: all of it is gone. Raises FatalError the second time."""
        self._call(FREE, self.address, 0, 0)

    @property
    def chunks(self):
        """Addresses of its chunks, the one in use last."""
        look = Inspector(self.rt.process)
        array, n = look.words(self.address + userArena.refs, 2)
        return list(look.words(array, n))

    @property
    def room(self):
        """(lower, upper end) of what is left of the chunk in use."""
        look = Inspector(self.rt.process)
        return look.words(look.word(self.address + userArena.active) + mspan.userArenaChunkFree, 2)

    def _call(self, operation, a, b, n):
        guest = self.rt.machine.state.thread[self.rt.process.thread_on(self.core)].guest
        guest[P.SIZE] = n
        return self.rt.call(self.core, P.DOOR_ARENA, operation, a, b)
