"""A thread's jumps: labels become step numbers, and a loop is unrolled into as many copies of the thread as it may have rounds.

    assembled(items, ...)     items: Instructions, and labels (any other object) between them

        0  L0: MOV EAX,[x]           a jump back leads to the next copy, from the last copy nowhere: that run is left out
        1  CMP EAX,$1                (explore.py counts it); the end of every copy is the thread's end
        2  JNE L0  ── 4 ── 8 ── ...

So steps only go forward, which the search relies on.
"""

from hwmem.litmus.test import JUMP, Instruction

ROUNDS = 8  # copies of a thread with loops; fewer where they would be more than a thread may have steps
CUT = -1  # where the last copy's jumps back lead
END = "(end)"  # label of a thread's end


def assembled(items, most):
    """The steps of a thread, at most `most`, and how many copies they are (0: it has no loop). Every label that is asked for is
    there once."""
    steps, places = [], {END: None}
    for item in items:
        if isinstance(item, Instruction):
            steps.append(item)
        else:
            places[item] = len(steps)
    places[END] = len(steps)
    for i, step in enumerate(steps):
        if step.operation == JUMP:
            steps[i] = step._replace(goto=places[step.goto])
    if all(step.operation != JUMP or step.goto > i for i, step in enumerate(steps)):
        return steps, 0
    return unrolled(steps, most)


def unrolled(steps, most):
    steps = [*steps, Instruction(JUMP, "(end of a round)", goto=len(steps))]
    n, last = len(steps), len(steps) - 1
    rounds = max(1, min(ROUNDS, most // n))
    end = rounds * n

    def moved(step, i, copy):
        if step.operation != JUMP:
            return step
        if step.goto == last:
            return step._replace(goto=end)
        if step.goto > i:
            return step._replace(goto=copy * n + step.goto)
        return step._replace(goto=(copy + 1) * n + step.goto if copy + 1 < rounds else CUT)

    return [moved(step, i, copy) for copy in range(rounds) for i, step in enumerate(steps)], rounds
