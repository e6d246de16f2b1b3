"""`hwmem record`: a program under Valgrind's lackey, with its log compressed as it comes.

    valgrind ──(pipe)── Counted: lines, references, threads ── xz ── the recording
       └─ the program, with the terminal's or the shell's own stdin, stdout, stderr and signals

With children each process writes a file of its own, since two that share a pipe mix within lines; they are compressed when all have ended. A
recording gets its name once it is complete: after Ctrl-C or a crash of the program it has what was done until then; a full disk leaves nothing.

Which switches, and why: docs/traces.md. Heap blocks are reported by a preloaded library (heapnotes.c), built once.
"""

import fcntl
import hashlib
import lzma
import os
import pathlib
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

from hwmem._jit.cache import cache_folder
from hwmem.whole_file import writing_whole

SWITCHES = "--tool=lackey --trace-mem=yes --trace-sched=yes --trace-syscalls=yes --fair-sched=yes --vgdb=no -v --trace-redir=yes".split()
PRESET = 1  # of xz: faster than Valgrind writes
READ_BYTES, PIPE_BYTES = 1 << 20, 1 << 20
TICK_SECONDS = 0.5
LINGERS_SECONDS = 0.3  # after the program's end, while a process that it left may hold the pipe
REFERENCES, START = (b"\n L ", b"\n S ", b"\n M "), b"(thread_wrapper(starting new thread))"
NO_VALGRIND = "valgrind is not installed: apt install valgrind (Debian, Ubuntu), dnf install valgrind (Fedora), pacman -S valgrind (Arch)"
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


class Counted:
    """Progress of a log. `tell`: whether to show it on stderr meanwhile."""

    def __init__(self, tell):
        self.lines = self.references = self.threads = 0
        self.began, self._told, self._tail, self._tell = time.monotonic(), 0.0, b"\n", tell

    def add(self, data):
        joined = self._tail + data
        self.lines += data.count(b"\n")
        self.references += sum(joined.count(mark) for mark in REFERENCES)
        self.threads += joined.count(START)
        self._tail = joined[-3:]
        if self._tell and time.monotonic() - self._told > TICK_SECONDS:
            self._told = time.monotonic()
            print(f"\r{self}\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self):
        if self._told:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __str__(self):
        seconds = time.monotonic() - self.began
        return f"{self.lines:,} lines, {self.references:,} references, {self.threads} thread{'s' * (self.threads != 1)}, {seconds:.1f} s"


def record(command, output, heap=False, children=False):
    """Run `command`, a list of words, and keep its recording at `output`; its exit status, 128 + the signal that ended it, or None if there is no
    recording. Raises ValueError for what is not there, OSError that names the file."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise ValueError(NO_VALGRIND)
    if not shutil.which(command[0]):
        raise ValueError(f"{command[0]}: no such program, or it may not be run")
    environment = dict(os.environ)
    if heap:
        environment["LD_PRELOAD"] = " ".join(filter(None, [notes_library(), environment.get("LD_PRELOAD")]))
    counted = Counted(sys.stderr.isatty())
    run = with_children if children else with_a_pipe
    try:
        status, files = run([valgrind, *SWITCHES], command, output, environment, counted)
    except NothingRecorded as nothing:
        if nothing.status == -signal.SIGINT:
            raise KeyboardInterrupt from None
        print(f"hwmem: {command[0]}: nothing was recorded: valgrind did not start it", file=sys.stderr)
        return None
    finally:
        counted.end()
    stored = sum(os.path.getsize(file) for file in files)
    print(f"hwmem: {', '.join(files)}: {counted}, {stored:,} bytes; {ended(status)}", file=sys.stderr)
    return status if status >= 0 else 128 - status


class NothingRecorded(Exception):
    """The program did not begin, and what is at `output` stays as it was. `status`: valgrind's."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


def ended(status):
    return f"the program ended with {status}" if status >= 0 else f"the program was ended by {signal.Signals(-status).name}"


@contextmanager
def passing_signals(child):
    """Within this context Ctrl-C is left to the program, since the terminal sends it to both. A signal sent to the recorder only is passed
    on."""

    def pass_on(number, _):
        if number != signal.SIGINT or not in_foreground():
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, *PASSED_ON)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_foreground():
    """Whether a terminal sends its Ctrl-C to this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def with_a_pipe(valgrind, command, output, environment, counted):
    """(the program's status, [output])"""
    with writing_whole(output) as file:
        reader, writer = os.pipe()
        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # more than a user may have: then it is slower
        words = [*valgrind, f"--log-fd={writer}", "--child-silent-after-fork=yes", *command]
        try:
            child = subprocess.Popen(words, env=environment, pass_fds=[writer])
        finally:
            os.close(writer)
        try:
            with passing_signals(child):
                compressor = lzma.LZMACompressor(preset=PRESET)
                for data in chunks(reader, child):
                    counted.add(data)
                    file.write(compressor.compress(data))
                file.write(compressor.flush())
                status = child.wait()
                if not counted.threads:
                    raise NothingRecorded(status)
        finally:
            os.close(reader)
            stop(child)
    return status, [output]


def chunks(reader, child):
    """The data from the pipe, until all writers have closed it, or the program has ended and nothing has come for a while."""
    os.set_blocking(reader, False)
    ended_at = None
    while True:
        try:
            data = os.read(reader, READ_BYTES)
            if not data:
                return
            yield data
        except BlockingIOError:
            if child.poll() is None:
                select.select([reader], [], [], TICK_SECONDS)
            else:
                ended_at = ended_at or time.monotonic()
                if time.monotonic() - ended_at > LINGERS_SECONDS:
                    return
                select.select([reader], [], [], LINGERS_SECONDS)


def with_children(valgrind, command, output, environment, counted):
    """(the program's status, the files of it and its children)"""
    folder = tempfile.mkdtemp(prefix=".hwmem-record-", dir=os.path.dirname(output) or ".")
    try:
        child = subprocess.Popen([*valgrind, "--trace-children=yes", f"--log-file={folder}/%p", *command], env=environment)
        try:
            with passing_signals(child):
                status = child.wait()
                files = []
                for log in sorted(pathlib.Path(folder).iterdir(), key=lambda log: (log.name != str(child.pid), log.name)):
                    path = output if log.name == str(child.pid) else f"{output}.{log.name}"
                    compress(log, path, counted, status)
                    files.append(path)
                if not files:
                    raise NothingRecorded(status)
        finally:
            stop(child)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return status, files


def compress(log, path, counted, status):
    with writing_whole(path) as file, open(log, "rb") as text:
        compressor = lzma.LZMACompressor(preset=PRESET)
        while data := text.read(READ_BYTES):
            counted.add(data)
            file.write(compressor.compress(data))
        file.write(compressor.flush())
        if not counted.threads:
            raise NothingRecorded(status)
    os.unlink(log)


def stop(child):
    """The program ends, if it has not."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def notes_library():
    """The path of the library that reports heap blocks, built if necessary. Raises ValueError without a C compiler."""
    source = pathlib.Path(__file__).with_name("heapnotes.c")
    folder = cache_folder() / "record"
    library = folder / f"heapnotes-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
        if not compiler:
            raise ValueError("--heap needs a C compiler, cc or gcc, the first time")
        folder.mkdir(parents=True, exist_ok=True)
        temporary = library.with_suffix(f".{secrets.token_hex(4)}.tmp")
        built = subprocess.run(
            [compiler, "-O2", "-g0", "-fPIC", "-shared", "-fno-builtin", "-o", temporary, source], capture_output=True, text=True
        )
        if built.returncode:
            raise ValueError(f"--heap: {compiler} cannot build {source}: {(built.stderr or '?').splitlines()[0]}")
        os.replace(temporary, library)
    return str(library)
