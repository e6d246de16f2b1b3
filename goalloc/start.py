"""A heap that begins as another was recorded: its spans page by page, its page cache, tiny block and statistics.

The recording (a scenario's "before") gives no contents, and neither free lists nor order. Spans are allocated in address order
before there is a P, so that first fit puts each where it was; holes are filled meanwhile and freed afterwards: those of the
page cache first, given back to the kernel, and taken into the cache; the rest stays with the heap. What the recording does
not tell is assumed: every mspan not in the map lies in the P's cache, and half of the P's chunk of persistent memory is used.
"""


def rebuild(rt, scenario):
    raise NotImplementedError
