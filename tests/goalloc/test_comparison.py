"""What is known of allocators holds when programs run on them: who scales, who shares lines, whose memory goes back."""

import functools

import pytest

from goalloc.baselines import NAMES
from goalloc.cli.cli import main
from goalloc.programs.comparison import FIGURES, row, run
from goalloc.programs.requests import PROGRAMS


@functools.cache
def figures(program, allocator, threads):
    result = run(program, allocator, threads)
    assert result.values["failed"] == 0 and result.values["unwatched"] == 0
    return row(result)


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "trace"])
def test_a_program_asks_every_allocator_for_the_same(program):
    made = {name: run(program, name, 2).values for name in ("bump", "buddy", "tcmalloc")}
    assert len({(v["operations"], v["failed"]) for v in made.values()}) == 1
    assert made["bump"]["operations"] > 0


def test_one_lock_does_not_scale_where_caches_of_threads_do():
    def slowdown(name):
        return figures("threadtest", name, 8)["cycles"] / figures("threadtest", name, 1)["cycles"]

    for name in ("tcmalloc", "tcmalloc-threads", "jemalloc", "glibc"):
        assert slowdown(name) < 3, name  # each thread's slabs and caches are made, and first touched, in the run
    for name in ("first-fit", "segregated", "buddy"):
        assert slowdown(name) > 5, name
        assert figures("threadtest", name, 8)["lock_waits"] > 1_000


def test_active_false_sharing_is_only_where_one_line_goes_to_two_threads():
    """cache-thrash: each thread allocates for itself. Who gives each thread or CPU lines of its own shares none."""
    assert figures("cache-thrash", "bump", 4)["active"] > 10
    assert figures("cache-thrash", "first-fit", 4)["active"] > 10
    for name in ("glibc", "jemalloc"):
        assert figures("cache-thrash", name, 4)["active"] == 0, name
        assert figures("cache-thrash", name, 4)["lines"] < figures("cache-thrash", "bump", 4)["lines"] / 4


def test_passive_false_sharing_is_where_a_freed_block_goes_to_who_freed_it():
    """cache-scratch: the first thread's blocks, of one line, are freed by the others. A thread's cache gives them back to it; of
    tcmalloc's slabs by CPU only one that has room already does (an overflowing one passes the block on: CpuCache::Overflow)."""
    for name, threads in (("glibc", 4), ("tcmalloc", 2), ("tcmalloc-threads", 4), ("jemalloc", 4)):
        assert figures("cache-scratch", name, threads)["passive"] > 0, name
    assert figures("cache-scratch", "bump", 4)["passive"] == 0, "it gives nothing out again"


def test_jemallocs_memory_goes_back_by_time_and_glibcs_stays():
    glibc, jemalloc, muzzy = (figures("sawtooth", name, 1) for name in ("glibc", "jemalloc", "jemalloc-muzzy"))
    assert glibc["dropped"] > 0.9 and glibc["rested"] > 0.9, "pinned by the little that was kept"
    assert glibc["trimmed"] < 0.6, "malloc_trim gives back whole pages anywhere"
    assert jemalloc["dropped"] > 0.9 and jemalloc["rested"] < 0.6
    assert muzzy["rested"] < 0.6


def test_a_bump_allocators_memory_is_all_that_was_ever_asked_for():
    bump, best = figures("producer-consumer", "bump", 1), figures("producer-consumer", "best-fit", 1)
    assert bump["rss"] > 3 * best["rss"]


def test_a_row_has_every_figure():
    assert set(figures("threadtest", "buddy", 1)) == set(FIGURES)
    assert set(NAMES) > {"tcmalloc", "jemalloc"}


@pytest.mark.parametrize(
    "words, says",
    [
        (["--threads", "x"], "--threads: takes numbers, such as 0,1, not 'x'"),
        (["--threads", "0"], "--threads: takes 1 to 64, got 0"),
        (["--trace", "nowhere.trace"], "nowhere.trace: No such file or directory"),
        (["--allocator", "x"], "--allocator: 'x' is none of bump, first-fit"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(words, says, monkeypatch, capsys):
    monkeypatch.setattr("goalloc.programs.comparison.run", None)
    assert main(["compare", "allocators", *words]) == 2 and says in capsys.readouterr().err
