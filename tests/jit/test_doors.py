"""Doors: every one has its kernel, none is compiled before it is called, and what keeps it from that is an exception of its caller's."""

import pytest

from hwmem._jit import DOORS, JIT_DISABLED
from hwmem.errors import MachineError
from hwmem.machine.enter import enter
from hwmem.machine.machine import Machine
from jit.programs import run


def test_every_door_of_the_tables_has_its_kernel_in_the_file_that_it_names():
    import goalloc.params
    from hwmem import params

    named = {name: number for names in (vars(params), vars(goalloc.params)) for name, number in names.items() if name.startswith("DOOR_")}
    del named["DOOR_FILES"]
    assert sorted(named.values()) == sorted(params.DOOR_FILES), "no number twice"
    for name, number in named.items():
        assert (number < 32) == params.DOOR_FILES[number][0].startswith("hwmem."), name
        assert DOORS.function(number).__module__ == params.DOOR_FILES[number][0], name


def test_a_door_is_bound_when_it_is_first_called_and_a_new_machine_has_the_bound_ones():
    bound, _ = run("""
        import json
        import hwmem
        from hwmem import params as P
        from hwmem._jit import DOORS
        machines = [hwmem.Machine() for _ in range(2)]
        process = machines[0].spawn()
        def slots(m):
            return [bool(m.state.doors[n] == DOORS._addresses[n]) for n in (P.DOOR_LIBC, P.DOOR_RACES)]
        answer = [slots(m) for m in machines]
        hwmem.libc.Malloc(process).malloc(100)
        print(json.dumps(answer + [slots(m) for m in [*machines, hwmem.Machine()]]))
    """)
    assert bound == [[False, False], [False, False], [True, False], [False, False], [True, False]]


@pytest.mark.skipif(JIT_DISABLED, reason="without the JIT a door is an ordinary call")
@pytest.mark.parametrize(
    "wrong, raised, words",
    [
        (None, MachineError, "no kernel is behind door 127"),
        (MachineError("its own words"), MachineError, "its own words"),
        (OSError(28, "No space left on device"), MachineError, "No space left on device"),
        (KeyboardInterrupt("stopped"), KeyboardInterrupt, "stopped"),
    ],
)
def test_what_keeps_a_door_from_being_bound_ends_the_call_and_the_machine_goes_on(monkeypatch, wrong, raised, words):
    machine = Machine()
    process = machine.spawn()
    t = process.thread_on(0)
    if wrong:

        def fail(number, record_type):
            raise wrong

        monkeypatch.setattr(DOORS, "compile", fail)
    with pytest.raises(raised, match=words):
        enter(machine.state, 127, t, 0, 0, 0)
    monkeypatch.undo()
    address = process.mmap(0, 4096)
    process.store(address, 7)
    assert process.load(address) == 7
