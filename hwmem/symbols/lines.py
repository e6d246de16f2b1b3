"""Line tables: which line of which file an instruction was made from.

A table is a program for a small machine whose registers are address, file and line (DWARF 5, section 6.2); pyelftools reads its header,
the loop here runs it, 0.3 us a row. Rows come in sequences of ascending addresses, one for each stretch of code:

    address 1139  line 12        an address belongs to the last row at or before it,
            113d       13        in a sequence that has not ended there
            1150       -- end

A compiler says line 0 where code is of no line.
"""

from bisect import bisect_right

from hwmem.symbols.dies import number
from hwmem.symbols.elf import Unreadable

COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, CONST_ADD_PC, FIXED_ADVANCE_PC = 1, 2, 3, 4, 8, 9
END_SEQUENCE, SET_ADDRESS = 1, 2
MOST_ROWS = 20_000_000


class LineTable:
    """The table of a unit. Raises Unreadable, or what damaged bytes lead to."""

    def __init__(self, unit):
        program = unit.dwarfinfo.line_program_for_CU(unit)
        if program is None:
            raise Unreadable("a unit without its line table")
        self.files = file_names(program.header, unit)
        self.first_file = 0 if program.header["version"] >= 5 else 1
        self.sequences = sorted(run(program), key=lambda rows: rows[0])  # each: addresses, files, lines, end
        self.starts = [rows[0][0] for rows in self.sequences]

    def at(self, pc):
        """(path, line) of an address, None if no row has it; the line 0 where the code is of none."""
        for k in range(bisect_right(self.starts, pc) - 1, -1, -1):
            addresses, files, lines, end = self.sequences[k]
            if pc < end:
                i = bisect_right(addresses, pc) - 1
                return self.file(files[i]), lines[i]
        return None

    def file(self, n):
        n -= self.first_file
        return self.files[n] if 0 <= n < len(self.files) else "?"


def file_names(header, unit):
    """Paths, as far as the table has them; relative ones are so to where the compiler ran."""
    top = unit.get_top_DIE().attributes
    here = text(top["DW_AT_comp_dir"].value) if "DW_AT_comp_dir" in top else ""
    folders = [text(name) for name in header["include_directory"]] if header["include_directory"] else []
    if header["version"] < 5:
        folders = [here, *folders]
    found = []
    for entry in header["file_entry"]:
        folder = folders[entry.dir_index] if entry.dir_index < len(folders) else ""
        found.append(joined(joined(here, folder), text(entry.name)))
    return found


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def joined(folder, name):
    if name.startswith("/") or not folder or folder == ".":
        return name
    return f"{folder.rstrip('/')}/{name.removeprefix('./')}"


def run(program):
    """[(addresses, files, lines, end)]: the sequences of a line program."""
    header, code = program.header, program.stream.getvalue()
    base, wide, least = header["line_base"], header["line_range"], header["minimum_instruction_length"]
    first, operands = header["opcode_base"], header["standard_opcode_lengths"]
    at, end, sequences, left = program.program_start_offset, program.program_end_offset, [], MOST_ROWS
    if not wide or end > len(code):
        raise Unreadable("a line table that extends past its section's end")
    address, file, line, rows = 0, 1, 1, ([], [], [])
    while at < end:
        op = code[at]
        at += 1
        if op >= first:
            address += (op - first) // wide * least
            line += base + (op - first) % wide
            op = COPY
        elif op == 0:
            length, at = number(code, at)
            kind, operand = code[at], code[at + 1 : at + length]
            at += length
            if kind == SET_ADDRESS:
                address = int.from_bytes(operand, "little")
            elif kind == END_SEQUENCE:
                if rows[0] and 0 < rows[0][0] < address:
                    sequences.append((*rows, address))
                address, file, line, rows = 0, 1, 1, ([], [], [])
            continue
        elif op == ADVANCE_PC:
            value, at = number(code, at)
            address += value * least
        elif op == ADVANCE_LINE:
            value, at = signed(code, at)
            line += value
        elif op == SET_FILE:
            file, at = number(code, at)
        elif op == CONST_ADD_PC:
            address += (255 - first) // wide * least
        elif op == FIXED_ADVANCE_PC:
            address += int.from_bytes(code[at : at + 2], "little")
            at += 2
        elif op != COPY:
            for _ in range(operands[op - 1]):
                _, at = number(code, at)
        if op == COPY:
            if rows[0] and address < rows[0][-1] or not left:
                raise Unreadable("a line table whose addresses do not ascend")
            left -= 1
            for column, value in zip(rows, (address, file, line)):
                column.append(value)
    return sequences


def signed(code, at):
    start = at
    value, at = number(code, at)
    bits = 7 * (at - start)
    return value - (1 << bits if value >> bits - 1 else 0), at
