"""Emulated RAM: host bytes at `m.ram_base`, reached by address.

The bytes are one lazily committed host mapping (host.py; a machine with 64 GiB costs nothing until it is touched), so
they are not a field of the record. `peek` and `poke` are the only two ways to reach them; each has a plain
body for the unjitted mode.

Nothing that is emulated reaches other memory of the host. Where an address comes from:

    a load, a store      translated: an entry of the page tables, which only the kernel writes, leads to a frame that was handed
                         out; without an MMU core/place.py has compared it with RAM's size
    a frame, a page      ram_page, disk_page: its number is compared here; a bad one becomes frame 0, which is never handed
                         out, and is counted, for check() to find
    the hit filter       remembers the first of these until the line, or the page, is anything else

In checked mode (HWMEM_CHECK=1) every address is looked up in ranges.py as well.

Cost: one host load or store.
"""

import ctypes

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from hwmem import params as P
from hwmem._jit import CHECKED, cold, kernel
from hwmem.memory.ranges import demand

MADV_DONTNEED = 4  # of the host (Linux)
_CTYPES = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_int64}


def _pointer(builder, address, bits):
    return builder.inttoptr(address, ir.IntType(bits).as_pointer())


def _accessors(size):
    """peek and poke of `size` bytes: zero-extended below 8 bytes, signed at 8."""
    bits = size * 8

    def peek(address):
        return _CTYPES[size].from_address(int(address)).value

    def poke(address, value):
        _CTYPES[size].from_address(int(address)).value = int(value)

    @intrinsic
    def load(typingctx, address):
        def generate(context, builder, signature, args):
            value = builder.load(_pointer(builder, args[0], bits), align=1)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return types.int64(types.int64), generate

    @intrinsic
    def store(typingctx, address, value):
        def generate(context, builder, signature, args):
            value = args[1] if bits == 64 else builder.trunc(args[1], ir.IntType(bits))
            builder.store(value, _pointer(builder, args[0], bits), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    def checked_load(address):
        demand(address, size)
        return load(address)

    def checked_store(address, value):
        demand(address, size)
        store(address, value)

    overload(peek)(lambda address: checked_load if CHECKED else lambda address: load(address))
    overload(poke)(lambda address, value: checked_store if CHECKED else lambda address, value: store(address, value))
    return peek, poke


def fetch_soon(builder, place):
    """Code that asks the host for the line of its memory at `place`, a byte's pointer."""
    pointer, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [pointer, i32, i32, i32]), "llvm.prefetch.p0")
    builder.call(function, [place, i32(0), i32(3), i32(1)])


def prefetch(address):
    """Ask the host for the line of its memory at an address; no effect but time."""


@intrinsic
def _prefetch(typingctx, address):
    def generate(context, builder, signature, args):
        fetch_soon(builder, _pointer(builder, args[0], 8))
        return context.get_dummy_value()

    return types.void(types.int64), generate


@overload(prefetch)
def _prefetch_jitted(address):
    return lambda address: _prefetch(address)


peek8, poke8 = _accessors(1)
peek16, poke16 = _accessors(2)
peek32, poke32 = _accessors(4)
peek64, poke64 = _accessors(8)


def release_host(address, size):
    """Whole host pages of RAM go back to the host; they read as zeros. madvise(2), MADV_DONTNEED."""
    ctypes.CDLL(None).madvise(ctypes.c_void_p(int(address)), ctypes.c_size_t(int(size)), MADV_DONTNEED)


def zero_bytes(address, size):
    """Zero `size` bytes of the host's memory, without an access of the machine's."""
    ctypes.memset(int(address), 0, int(size))


def copy_bytes(source, target, size):
    """Copy `size` bytes within the host's memory, without an access of the machine's."""
    ctypes.memmove(int(target), int(source), int(size))


def _libc(name, arguments):
    """An intrinsic that calls a function of the C library: `arguments(builder's values)` are its arguments, all words."""

    def call(builder, args):
        words = arguments(*args)
        word = ir.IntType(64)
        function = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(word, [word] * len(words)), name)
        builder.call(function, words)

    return call


def _constant(value):
    return ir.Constant(ir.IntType(64), value)


_call_madvise = _libc("madvise", lambda address, size: [address, size, _constant(MADV_DONTNEED)])
_call_memset = _libc("memset", lambda address, size: [address, _constant(0), size])
_call_memcpy = _libc("memcpy", lambda source, target, size: [target, source, size])


@intrinsic
def _release(typingctx, address, size):
    def generate(context, builder, signature, args):
        _call_madvise(builder, args)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _clear(typingctx, address, size):
    def generate(context, builder, signature, args):
        _call_memset(builder, args)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _copy(typingctx, source, target, size):
    def generate(context, builder, signature, args):
        _call_memcpy(builder, args)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _release_checked(address, size):
    demand(address, size)
    _release(address, size)


def _clear_checked(address, size):
    demand(address, size)
    _clear(address, size)


def _copy_checked(source, target, size):
    demand(source, size)
    demand(target, size)
    _copy(source, target, size)


overload(release_host)(lambda address, size: _release_checked if CHECKED else lambda address, size: _release(address, size))
overload(zero_bytes)(lambda address, size: _clear_checked if CHECKED else lambda address, size: _clear(address, size))
overload(copy_bytes)(lambda source, target, size: _copy_checked if CHECKED else lambda source, target, size: _copy(source, target, size))


@kernel
def ram_page(m, frame):
    """Host address of the first byte of a frame."""
    if 0 <= frame < m.frames.total:
        return m.ram_base + frame * P.PAGE
    return outside(m)


@kernel
def disk_page(m, page):
    """Host address of the first byte of a page of the disk: the swap slots, then the files' pages."""
    if 0 <= page < m.disk.pages:
        return m.disk.host + page * P.PAGE
    return outside(m)


@cold
def outside(m):
    """What to use instead of an address that the machine does not have."""
    m.outside += 1
    return m.ram_base
