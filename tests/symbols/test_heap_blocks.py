"""Heap blocks by address, against a search of all."""

import random

from hwmem.symbols.heap import HeapBlocks
from hwmem.trace.program import Block


def test_the_blocks_that_had_an_address_in_their_order(seed):
    draw = random.Random(seed)
    blocks = [Block(0x1000 + 16 * draw.randrange(200), draw.choice([0, 1, 8, 24, 64, 1000, 3000]), (n,), 1, n) for n in range(300)]
    heap = HeapBlocks(blocks)
    for address in range(0x0FF0, 0x1000 + 16 * 200 + 3001, 7):
        assert heap.at(address) == [b for b in blocks if b.address <= address < b.address + b.size], hex(address)


def test_without_blocks_there_are_none():
    assert HeapBlocks([]).at(0x1000) == []
