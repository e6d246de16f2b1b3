"""x86 instructions as the steps of a litmus test.

    steps_of("ADD", [target, source], size, text)     -> Instructions, or None: not understood
    locked_steps(...)                                    the same with LOCK, or of XCHG

An instruction that reads memory and computes is two steps, and three where it writes without a lock: load, compute, store.
Sizes: a suffix (b, w, l, q), else a register operand's, else `default_size`. What sets flags says so; they are kept where a thread
reads them (test.FLAGS). Without a lock, a CMPXCHG that fails writes nothing.
"""
import re

from hwmem.litmus.alu import (ALL_BUT_CARRY, ALL_FLAGS, AND, CHOOSE, CONDITIONS, IF_NE, MINUS, NO_FLAGS, OR, PLUS, SHIFT_LEFT,
                              SHIFT_RIGHT, TELL, XOR)
from hwmem.litmus.operands import Operand
from hwmem.litmus.test import ATOMIC, COMPARE_EXCHANGE, HIDDEN, JUMP, LFENCE, LOAD, MFENCE, MOVE, SFENCE, STORE, STORE_STREAM, Instruction

SUFFIXES = {"B": 1, "W": 2, "L": 4, "Q": 8}
FENCES = {"MFENCE": MFENCE, "SFENCE": SFENCE, "LFENCE": LFENCE}
NOTHING = re.compile(r"NOP[LW]?|ENDBR(64|32)|CLFLUSH(OPT)?|CLWB|PAUSE|PREFETCH\w*")
TWO = {"ADD": PLUS, "SUB": MINUS, "AND": AND, "OR": OR, "XOR": XOR, "SHL": SHIFT_LEFT, "SAL": SHIFT_LEFT, "SHR": SHIFT_RIGHT}
ONE = {"INC": (PLUS, 1, ALL_BUT_CARRY), "DEC": (MINUS, 1, ALL_BUT_CARRY), "NOT": (XOR, -1, NO_FLAGS)}      # alu, operand, flags
COMPARED = {"CMP": MINUS, "TEST": AND}
OTHERS = ("MOV", "MOVNTI", "XCHG", "UXCH", "XADD", "CMPXCHG", "NEG")
BASES = {*TWO, *ONE, *COMPARED, *OTHERS}
EXTENDING = re.compile(r"MOV([ZS])(?:X|XD|([BWL])([WLQ]))")
LOCKABLE = ("ADD", "SUB", "AND", "OR", "XOR", "INC", "DEC", "NOT", "XADD", "CMPXCHG", "XCHG")
ACCUMULATOR = Operand("register", "EAX")


def split_suffix(mnemonic):
    """(base, bytes or None) of a mnemonic; its base "": unknown."""
    for word, size in ((mnemonic, None), (mnemonic[:-1], SUFFIXES.get(mnemonic[-1:]))):
        if word in BASES or (word.startswith("SET") and word[3:] in CONDITIONS) or (word.startswith("CMOV") and word[4:] in CONDITIONS):
            return (word, size) if word == mnemonic or size else ("", None)
    return "", None


def size_of(operands, suffix, default):
    """Bytes of an instruction; None: a register is of another size than the suffix or the other register."""
    sizes = {o.size for o in operands if o.kind == "register"} | ({suffix} if suffix else set())
    return None if len(sizes) > 1 else sizes.pop() if sizes else default


def target_of(operand):
    """The Instruction's fields that say where a value goes."""
    if operand.kind == "register":
        return {"target": operand.name, "target_part": operand.part}
    if operand.kind == "memory":
        return {"location": operand.name}
    return {"base": operand.name, "scaled": operand.scaled, "scale": operand.scale, "displacement": operand.value}


def source_of(operand):
    """... what the second operand is: a number, or a register."""
    if operand.kind == "number":
        return {"value": operand.value}
    return {"source": operand.name, "source_part": operand.part}


def first_of(operand):
    return {"first": operand.name, "first_part": operand.part}


def hidden(size):
    return Operand("register", HIDDEN, size)


def loaded(text, place, size):
    """A load into the hidden register."""
    return Instruction(LOAD, f"{text}: load", **target_of(place) | {"target": HIDDEN}, size=size)


def steps_of(base, operands, size, text):
    """The steps of an instruction without LOCK, its target first; None: not understood."""
    if base in FENCES:
        return [Instruction(FENCES[base], text)] if not operands else None
    if any(o is None for o in operands) or (operands and operands[0].kind == "number"):
        return None
    if len(operands) == 1:
        return one_operand(base, operands[0], size, text)
    if len(operands) != 2 or (operands[0].is_memory and operands[1].is_memory):
        return None
    target, source = operands
    if base == "MOV":
        return moved(target, source, size, text)
    if base == "MOVNTI":
        return [Instruction(STORE_STREAM, text, **target_of(target), **source_of(source), size=size)] if (
            target.is_memory and source.kind == "register") else None
    if base in ("XCHG", "UXCH"):
        return exchanged(base, target, source, size, text)
    if base == "XADD" and source.kind == "register":
        return computed(PLUS, target, source, size, text) + [
            Instruction(MOVE, f"{text}: take", **target_of(source), **source_of(hidden(size)), size=size)] if target.is_memory else None
    if base == "CMPXCHG":
        return compared_and_stored(target, source, size, text) if target.is_memory and source.kind == "register" else None
    if base.startswith("CMOV"):
        return chosen(CONDITIONS[base[4:]], target, source, size, text)
    if base in COMPARED:
        return compared(COMPARED[base], target, source, size, text)
    return computed(TWO[base], target, source, size, text) if base in TWO else None


def moved(target, source, size, text):
    if target.is_memory:
        return [Instruction(STORE, text, **target_of(target), **source_of(source), size=size)]
    if source.is_memory:
        return [Instruction(LOAD, text, **target_of(source) | target_of(target), size=size)]
    return [Instruction(MOVE, text, **target_of(target), **source_of(source), size=size)]


def computed(alu, target, source, size, text, flags=ALL_FLAGS):
    """`target` becomes what alu makes of it and of `source`."""
    steps = []
    if source.is_memory:
        steps, source = [loaded(text, source, size)], hidden(size)
    if not target.is_memory:
        return [*steps, Instruction(MOVE, text, **target_of(target), **first_of(target), **source_of(source), size=size, alu=alu, flags=flags)]
    return [loaded(text, target, size), Instruction(STORE, f"{text}: store", **target_of(target), **first_of(hidden(size)),
                                                    **source_of(source), size=size, alu=alu, flags=flags)]


def compared(alu, target, source, size, text):
    steps, operands = [], []
    for one in (target, source):
        if one.is_memory:
            steps, one = [loaded(text, one, size)], hidden(size)
        operands.append(one)
    return [*steps, Instruction(MOVE, text, **first_of(operands[0]), **source_of(operands[1]), size=size, alu=alu, flags=ALL_FLAGS)]


def one_operand(base, target, size, text):
    if base in ONE:
        alu, value, flags = ONE[base]
        return computed(alu, target, Operand("number", value=value), size, text, flags)
    if base == "NEG":
        steps, source = ([loaded(text, target, size)], hidden(size)) if target.is_memory else ([], target)
        return [*steps, Instruction(STORE if target.is_memory else MOVE, f"{text}: store" if steps else text, **target_of(target),
                                    **source_of(source), size=size, alu=MINUS, flags=ALL_FLAGS)]
    if base.startswith("SET"):
        return [Instruction(STORE if target.is_memory else MOVE, text, **target_of(target), size=1, alu=TELL,
                            condition=CONDITIONS[base[3:]])]
    return None


def chosen(condition, target, source, size, text):
    """CMOVcc: it loads whether or not it moves."""
    steps = []
    if source.is_memory:
        steps, source = [loaded(text, source, size)], hidden(size)
    if target.kind != "register" or source.kind == "number":
        return None
    return [*steps, Instruction(MOVE, text, **target_of(target), **first_of(target), **source_of(source), size=size, alu=CHOOSE,
                                condition=condition)]


def exchanged(base, target, source, size, text):
    if "number" in (target.kind, source.kind):
        return None
    if not target.is_memory and not source.is_memory:
        return [Instruction(MOVE, f"{text}: keep", target=HIDDEN, target_part=size, **source_of(target), size=size),
                Instruction(MOVE, text, **target_of(target), **source_of(source), size=size),
                Instruction(MOVE, f"{text}: take", **target_of(source), **source_of(hidden(size)), size=size)]
    place, register = (target, source) if target.is_memory else (source, target)
    if base == "XCHG":
        return locked_steps("XCHG", [place, register], size, text)
    return [loaded(text, place, size), Instruction(STORE, f"{text}: store", **target_of(place), **source_of(register), size=size),
            Instruction(MOVE, f"{text}: take", **target_of(register), **source_of(hidden(size)), size=size)]


def compared_and_stored(target, source, size, text):
    """CMPXCHG without LOCK: a load, a comparison with the accumulator, and the store if they are equal."""
    after = object()
    accumulator = ACCUMULATOR._replace(part=size)
    return [loaded(text, target, size),
            Instruction(MOVE, f"{text}: compare", **first_of(accumulator), **source_of(hidden(size)), size=size, alu=MINUS, flags=ALL_FLAGS),
            Instruction(JUMP, f"{text}: equal?", condition=IF_NE, goto=after),
            Instruction(STORE, f"{text}: store", **target_of(target), **source_of(source), size=size), after,
            Instruction(MOVE, f"{text}: take", **target_of(accumulator), **source_of(hidden(size)), size=size)]


def locked_steps(base, operands, size, text):
    """The one step of an instruction with LOCK, which must change memory; None: it does not, or is not understood."""
    if base not in LOCKABLE or not operands or any(o is None for o in operands):
        return None
    if base == "XCHG" and operands[-1].is_memory:
        operands = operands[::-1]
    place, *rest = operands
    if not place.is_memory or len(rest) != (base not in ONE) or any(o.is_memory for o in rest):
        return None
    common = target_of(place) | {"target": HIDDEN, "size": size}
    if base in ONE:
        alu, value, flags = ONE[base]
        return [Instruction(ATOMIC, text, **common, value=value, alu=alu, flags=flags)]
    if base in TWO:
        return [Instruction(ATOMIC, text, **common, **source_of(rest[0]), alu=TWO[base], flags=ALL_FLAGS)]
    if rest[0].kind != "register":
        return None
    if base == "CMPXCHG":
        return [Instruction(COMPARE_EXCHANGE, text, **common | {"target": "EAX", "target_part": size}, **source_of(rest[0]),
                            expected_source="EAX", flags=ALL_FLAGS)]
    both = {"alu": PLUS, "flags": ALL_FLAGS} if base == "XADD" else {}
    return [Instruction(ATOMIC, text, **common | target_of(rest[0]), **source_of(rest[0]), **both)]


def extending(found, operands, text):
    """MOVZX, MOVSX and their names with two suffixes; None: not understood."""
    if len(operands) != 2 or any(o is None for o in operands) or operands[0].kind != "register" or operands[1].kind == "number":
        return None
    target, source = operands
    size = SUFFIXES[found[2]] if found[2] else source.size if source.kind == "register" else None
    if size is None or target.size <= size or (found[3] and SUFFIXES[found[3]] != target.size) or (source.kind == "register" and source.size != size):
        return None
    sign = {"extend": size} if found[1] == "S" else {}
    if source.is_memory:
        return [Instruction(LOAD, text, **target_of(source) | target_of(target), size=size, **sign)]
    return [Instruction(MOVE, text, **target_of(target), **source_of(source), size=target.size, **sign)]
