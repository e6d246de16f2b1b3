"""`goalloc leak`: a list of the leaks; `goalloc leak NAME`: cause, evidence and remedy of one, measured beside its mended twin.
`goalloc faults [NAME]`: what becomes of the common faults of C programs.
"""

from hwmem.cli import line
from hwmem.cli.files import new_file
from hwmem.cli.parser import Refused
from hwmem.report.table import table
from hwmem.whole_file import write_whole

KINDS = ("heap", "goroutine", "threadcreate")  # of profiles: programs/leaks.py Measured.file


def leak_command(command):
    """Add `leak`."""
    sub = command(show_leaks, "leak", "leaks that a collector does not prevent, each measured beside its mended twin")
    sub.add_argument("name", metavar="NAME", nargs="?", help="show this one's cause, evidence and remedy (default: list them)")
    line.output_option(sub, "heap.pb.gz", "write a profile of the leaking program, for `go tool pprof`")
    sub.add_argument("--base", type=new_file, metavar="base.pb.gz", help="... and of its mended twin, for `go tool pprof -base`")
    sub.add_argument(
        "--profile",
        choices=KINDS,
        help=f"the profile's kind: {', '.join(KINDS)} (default heap); the last two as text if the file is named *.txt",
    )
    line.json_option(sub)


def show_leaks(arguments):
    from goalloc.programs.leaks import LEAKS, measure

    name, kind = arguments.name, arguments.profile or "heap"
    files = files_of(arguments, kind)
    if name is None:
        if arguments.json:
            line.print_json({name: leak.cause for name, leak in LEAKS.items()})
        else:
            line.say(table(["leak", "cause"], [[name, leak.cause] for name, leak in LEAKS.items()]))
        return
    line.one_of("NAME", name, LEAKS)
    leaking, mended = (measure(name, mended) for mended in (False, True))

    def tables():
        if arguments.json:
            line.print_json({"cause": LEAKS[name].cause, "remedy": LEAKS[name].remedy, "leaking": plain(leaking), "mended": plain(mended)})
        else:
            line.say(text(name, LEAKS[name], leaking, mended))

    def profile(path, measured):
        return path and (lambda: write_whole(path, measured.file(kind, path.endswith(".txt"))))

    line.written(tables, *map(profile, files, (leaking, mended)))


def files_of(arguments, kind):
    """The files that are to be written, or None, of the leaking and of the mended program. Raises Refused."""
    files = {"-o": arguments.output, "--base": arguments.base}
    wanted = {option: path for option, path in files.items() if path}
    if wanted and arguments.name is None:
        raise Refused("-o, --base: go with NAME, the leak")
    if arguments.profile and not wanted:
        raise Refused("--profile: goes with -o or --base, the file to write")
    for option, path in wanted.items():
        if kind == "heap" and path.endswith(".txt"):
            raise Refused(f"{option}: the heap's profile has no text, only the format of `go tool pprof`")
    return files.values()


def plain(measured):
    """What was measured, as JSON has it: the heap's profile by sites."""
    path = measured.path and {**measured.path._asdict(), "steps": [step._asdict() for step in measured.path.steps]}
    found = measured._asdict() | {"path": path, "profile": measured.profile}
    del found["heap"]
    return found


def text(name, leak, leaking, mended):
    figures = list(leaking.rounds[0])
    columns = ["round", *(f"{figure}{which}" for which in ("", " mended") for figure in figures if varies(figure, leaking, mended))]
    kept = [figure for figure in figures if varies(figure, leaking, mended)]
    rows = [[i + 1, *(a[f] for f in kept), *(b[f] for f in kept)] for i, (a, b) in enumerate(zip(leaking.rounds, mended.rounds))]
    returned = [[which, *one.returned.values()] for which, one in (("leaking", leaking), ("mended", mended))]
    sites = sorted(leaking.profile.keys() | mended.profile.keys(), key=lambda site: -leaking.profile.get(site, 0))
    parts = [
        f"{name}: {leak.cause}\nshows     {leak.shows}\nremedy    {leak.remedy}",
        "after each round's collection, bytes and counts\n" + table(columns, rows),
        "after FreeOSMemory\n" + table(["", *leaking.returned], returned),
        "in use by site (heap profile)\n"
        + table(["site", "leaking", "mended"], [[site, leaking.profile.get(site, 0), mended.profile.get(site, 0)] for site in sites]),
        "goroutines (goroutine profile)\n" + table(["at", "in", "leaking", "mended"], goroutines(leaking, mended)),
        f"what keeps the last one alive\n{leaking.path}\n... in the mended program\n{mended.path or 'nothing: it has been freed'}",
        "what retains most: bytes that would be freed without this one\n"
        + table(
            ["kind", "name", "site", "objects", "retained"],
            [
                [row["kind"], row["name"] or f"{row['size']:,} bytes", row["site"], row["objects"], row["retained"]]
                for row in leaking.retained
            ],
        ),
    ]
    return "\n\n".join(part for part in parts if not part.endswith(" profile)\n"))


def goroutines(*measured):
    """A row for each place where the programs have different numbers of goroutines."""
    counts = [{(r["frames"], r["state"]): r["count"] for r in one.goroutines} for one in measured]
    rows = [
        [frames[-1], state, *(one.get((frames, state), 0) for one in counts)]
        for frames, state in sorted(counts[0].keys() | counts[1].keys())
    ]
    return [row for row in rows if row[2] != row[3]]


def varies(figure, *measured):
    """Whether a figure changed at all, or is the heap's."""
    return figure == "HeapAlloc" or any(len({row[figure] for row in one.rounds}) > 1 for one in measured)


def faults_command(command):
    """Add `faults`."""
    sub = command(
        show_faults, "faults", "the common faults of C programs: what glibc says, what the kernel says, what a collector prevents"
    )
    sub.add_argument("name", metavar="NAME", nargs="?", help="show this one's program, too (default: a table of all)")
    line.json_option(sub)


def show_faults(arguments):
    from goalloc.programs.faults import FAULTS, outcome

    name = arguments.name
    if name is not None:
        line.one_of("NAME", name, FAULTS)
    rows = [[each, *outcome(each), FAULTS[each].collector] for each in ([name] if name else FAULTS)]
    if arguments.json:
        line.print_json([dict(zip(("fault", "noticed by", "says", "collector"), row)) | {"c": FAULTS[row[0]].c} for row in rows])
    elif name:
        _, who, words, collector = rows[0]
        line.say(f"{name}: {FAULTS[name].what}\n\n{FAULTS[name].c}\n\nnoticed by {who}: {words}\na collector: {collector}")
    else:
        line.say(table(["fault", "noticed by", "what it says or prints", "a collector"], rows))
