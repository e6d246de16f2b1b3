"""Collectors beside Go's, on one object model and for one mutator: what `goalloc compare collectors` sets side by side.

heap.py         a heap of one of them in a process, from Python
mutator.py      what jitted programs call: new, load, store, roots
model.py        the object model, the heap's variables, the shadow stack
mark_sweep.py   stop-the-world mark-sweep: mark.py, freelist.py
lisp2.py        mark-compact, Lisp-2: a forwarding word before each object
threaded.py     mark-compact, Jonkers' threading: no word at all
semispace.py    copying, Cheney
"""
