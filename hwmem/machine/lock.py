"""One caller at a time: Python threads that share a machine take turns, call by call.

The machine has no lock of its own: a call from Python is many steps, and two at once would corrupt its lists. Every public method of the
classes that `one_at_a_time` decorates waits until no other thread is in one, on the same machine. Separate machines run in parallel. A
kernel that an interrupted call has left running is waited for too (interrupt.py).
"""

import functools
from types import FunctionType

from hwmem.machine import interrupt


def one_at_a_time(machine_of):
    """Decorator of a class: its public methods hold `machine_of(self).lock` while they run."""

    def decorate(cls):
        for name, function in list(vars(cls).items()):
            if isinstance(function, FunctionType) and not name.startswith("_"):
                setattr(cls, name, guarded(function, machine_of))
        return cls

    return decorate


def guarded(function, machine_of):
    @functools.wraps(function)
    def call(self, *arguments, **named):
        machine = machine_of(self)
        with machine.lock:
            if interrupt.running:
                interrupt.wait_for_left(machine.state)
            return function(self, *arguments, **named)

    return call


def its_machine(self):
    return self.machine
