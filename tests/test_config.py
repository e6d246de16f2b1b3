"""Configurations: what is accepted, what is refused and in which words, files, presets and their sources."""

import json
import re
from codecs import BOM_UTF8
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem import params as P
from hwmem.config.machine import (
    CacheConfig,
    DramConfig,
    MachineConfig,
    TlbConfig,
    preset_sources,
    presets,
)
from hwmem.config.record import Choice, Flag, Integer, Positive, Size, Table, Text
from hwmem.units import format_size, parse_size

DOCS = Path(__file__).parents[1] / "docs" / "presets.md"
GENERIC = MachineConfig()


def refusal(error, call, *args, **kw):
    """The message of the error that the call must raise; one line."""
    with pytest.raises(error) as caught:
        call(*args, **kw)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    return str(caught.value)


# sizes


@pytest.mark.parametrize(
    "text, size",
    [
        ("32KiB", 32768),
        ("4GiB", 4 << 30),
        ("512", 512),
        (512, 512),
        ("1_048_576", 1 << 20),
        ("64K", 65536),
        ("1TiB", 1 << 40),
        ("1.375MiB", 1441792),
        ("12 MiB", 12 << 20),
        (" 8KiB ", 8192),
        ("128B", 128),
        (0, 0),
    ],
)
def test_a_size_is_bytes_or_a_power_of_1024(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("bad", ["", "KiB", "32KB", "-1", "0x10", "1e3", "32 KiB KiB", "1__0", "1_", "9" * 40, "3\n2", -1])
def test_what_is_no_size_is_refused_by_name(bad):
    assert refusal(ValueError, parse_size, bad, "l1d.size").startswith("l1d.size must be bytes, such as ")


def test_a_fraction_of_a_byte_is_refused():
    assert refusal(ValueError, parse_size, "0.3KiB") == "size must be a whole number of bytes, not '0.3KiB'"


@pytest.mark.parametrize("bad", [True, 1.0, None, b"1KiB", ["1KiB"]])
def test_a_size_of_another_type_is_a_type_error(bad):
    assert refusal(TypeError, parse_size, bad, "memory").startswith("memory must be bytes")


@given(st.integers(0, 1 << 45))
def test_format_size_is_exact(size):
    assert parse_size(format_size(size)) == size


def test_format_size_takes_the_largest_unit_that_fits():
    assert [format_size(n) for n in (0, 1000, 32768, 1310720, 4 << 30)] == ["0B", "1000B", "32KiB", "1280KiB", "4GiB"]


# records


def test_a_cache_has_the_sets_its_size_and_ways_give():
    assert CacheConfig("32KiB", 8, 4).sets == 64
    assert CacheConfig("38.5MiB", 11, 65).sets == 57344
    assert CacheConfig(size=64, ways=1, latency=0).lines == 1


def test_a_tlb_may_be_fully_associative():
    assert TlbConfig(48, 48, 0).sets == 1


def test_a_configuration_cannot_change_and_can_be_a_key():
    with pytest.raises(FrozenInstanceError):
        GENERIC.cores = 8
    assert {GENERIC: 1}[MachineConfig()] == 1
    assert GENERIC != GENERIC.replace(cores=8)


@pytest.mark.parametrize(
    "error, make, message",
    [
        (ValueError, lambda: CacheConfig("3000B", 8, 4), "size must be a multiple of 8 ways * 64 bytes, not 3000B"),
        (ValueError, lambda: CacheConfig("6KiB", 12, 4, "tree-plru"), "ways must be a power of two with replacement tree-plru, not 12"),
        (
            ValueError,
            lambda: CacheConfig("32KiB", 8, 4, "lfu"),
            "replacement must be one of lru, tree-plru, random, nru, fifo, not 'lfu'; did you mean lru?",
        ),
        (ValueError, lambda: CacheConfig("64KiB", 8193, 4), "ways must be an integer from 1 to 8192, not 8193"),
        (TypeError, lambda: CacheConfig("32KiB", 8.0, 4), "ways must be an integer from 1 to 8192, not 8.0"),
        (TypeError, lambda: CacheConfig("32KiB", True, 4), "ways must be an integer from 1 to 8192, not True"),
        (ValueError, lambda: CacheConfig("32KiB", 8, -1), "latency must be cycles from 0 to 1000000000, not -1"),
        (ValueError, lambda: TlbConfig(100, 8, 0), "entries must be a multiple of 8 ways, not 100"),
        (ValueError, lambda: GENERIC.replace(cores=65), "cores must be an integer from 1 to 64, not 65"),
        (ValueError, lambda: GENERIC.replace(sockets=3), "sockets must be a divisor of cores = 4, not 3"),
        (ValueError, lambda: GENERIC.replace(memory="2MiB", swap="1B"), "swap must be from 0B to 32GiB, a multiple of 4KiB, not 1B"),
        (ValueError, lambda: GENERIC.replace(memory="3076KiB"), "memory must be a multiple of 2MiB (below 2MiB: of 4KiB), not 3076KiB"),
        (ValueError, lambda: GENERIC.replace(memory="60KiB"), "memory must be from 64KiB to 32GiB, a multiple of 4KiB, not 60KiB"),
        (ValueError, lambda: GENERIC.replace(l1d={"size": "2MiB"}), "l1d.size must be at most 1MiB, not 2MiB"),
        (ValueError, lambda: GENERIC.replace(l2={"size": "32MiB"}), "l2.size must be at most 16MiB, not 32MiB"),
        (
            ValueError,
            lambda: GENERIC.replace(cores=64, sockets=4, llc={"size": "512MiB"}),
            "llc.size must be at most 256MiB with 4 sockets, not 512MiB",
        ),
        (
            ValueError,
            lambda: GENERIC.replace(cores=64, l2={"size": "16MiB", "ways": 32}),
            "cores must be at most 31 with private caches this large, not 64",
        ),
        (
            ValueError,
            lambda: GENERIC.replace(cores=64, sockets=2, llc={"size": "504MiB", "ways": 18}),
            "cores must be few enough for 27262976 entries of all caches and TLBs together (ways rounded up to a power of two), not 64",
        ),
        (ValueError, lambda: CacheConfig("8KiB", 128, 4, "tree-plru"), "ways must be at most 64 with replacement tree-plru, not 128"),
        (ValueError, lambda: CacheConfig("65KiB", 65, 4, "nru"), "ways must be at most 64 with replacement nru, not 65"),
        (ValueError, lambda: GENERIC.replace(recency="textbook"), "recency must be one of processor, gem5, not 'textbook'"),
        (
            ValueError,
            lambda: GENERIC.replace(cores=31, l2={"size": "16MiB", "ways": 1}),
            "cores must be few enough for 4194304 sets of all caches and TLBs together (more ways: fewer sets), not 31",
        ),
        (
            ValueError,
            lambda: MachineConfig.preset("zen3").replace(interconnect={"remote_llc": 0}),
            "interconnect.remote_llc must be above 0 with 2 sockets, not 0",
        ),
        (
            TypeError,
            lambda: GENERIC.replace(l1d=None),
            "l1d must be a CacheConfig or a table of size, ways, latency, replacement, not None",
        ),
        (TypeError, lambda: GENERIC.replace(mmu=1), "mmu must be true or false, not 1"),
        (TypeError, lambda: GENERIC.replace(core=8), "core is not a setting; did you mean cores?"),
        (TypeError, lambda: GENERIC.replace(self=8), "self is not a setting; a machine takes name, "),
        (TypeError, lambda: GENERIC.replace(l1d={"latancy": 5}), "l1d.latancy is not a setting; did you mean l1d.latency?"),
        (TypeError, lambda: GENERIC.replace(l1d={"line_size": 128}), "l1d.line_size is not a setting; lines have 64 bytes in every cache"),
        (TypeError, lambda: GENERIC.replace(l1d={"write": "through"}), "l1d.write is not a setting; every cache writes back and allocates"),
        (TypeError, lambda: GENERIC.replace(prefetch="adjacent"), "prefetch is not a setting; no prefetcher is modelled"),
        (TypeError, lambda: GENERIC.replace(l2={"assoc": 4}), "l2.assoc is not a setting; it is ways"),
        (TypeError, lambda: GENERIC.replace(l1d={"xyz": 5}), "l1d.xyz is not a setting; l1d takes size, ways, latency, replacement"),
        (TypeError, lambda: GENERIC.replace(l2=None).replace(l2={"ways": 8}), "l2.size is missing; it must be from 64B to 512MiB"),
        (ValueError, lambda: GENERIC.replace(frequency_ghz=float("nan")), "frequency_ghz must be a number above 0, up to 100, not nan"),
        (ValueError, lambda: GENERIC.replace(name="a\nb"), "name must be one line of printable text, not 'a\\nb'"),
        (ValueError, lambda: MachineConfig.preset("skylake"), "preset must be one of generic, classroom, coffee-lake"),
        (TypeError, lambda: MachineConfig.from_dict({"a\nb": 1}), "'a\\nb' is not a setting; a machine takes name"),
    ],
)
def test_a_refusal_names_the_setting_what_it_takes_and_what_was_given(error, make, message):
    assert refusal(error, make).startswith(message)


def test_numpy_numbers_are_taken_as_plain_ones():
    np = pytest.importorskip("numpy")
    config = GENERIC.replace(cores=np.int64(8), frequency_ghz=np.float32(2.5))
    assert type(config.cores) is int and type(config.frequency_ghz) is float


def test_an_integer_will_do_for_a_float_setting():
    assert GENERIC.replace(dram={"bytes_per_cycle": 8}).dram.bytes_per_cycle == 8.0


def test_a_dict_changes_part_of_a_part_and_a_record_all_of_it():
    changed = GENERIC.replace(l1d={"latency": 5}, l2=CacheConfig("1MiB", 16, 14), llc=None)
    assert changed.l1d == CacheConfig("32KiB", 8, 5)
    assert changed.l2.ways == 16 and not changed.has_llc
    assert GENERIC.l1d.latency == 4 and GENERIC.has_llc


def test_the_private_caches_may_be_all_there_is():
    assert GENERIC.replace(l2=None, llc=None, stlb=None, dtlb_2m=None, inclusion="inclusive").l2 is None


def test_words_of_a_command_line_change_settings():
    changed = GENERIC.with_overrides(
        [
            "cores=8",
            "l1d.size=64KiB",
            "l1d.latency=0x5",
            "l2=none",
            "mmu=false",
            "memory=1_048_576",
            "frequency_ghz=2.5",
            "ordering=sc",
            "description=a = b",
        ]
    )
    assert changed == GENERIC.replace(
        cores=8,
        l1d={"size": 65536, "latency": 5},
        l2=None,
        mmu=False,
        memory=1 << 20,
        frequency_ghz=2.5,
        ordering="sc",
        description="a = b",
    )


@pytest.mark.parametrize(
    "error, words, message",
    [
        (ValueError, ["cores"], "'cores' must be setting=value, such as cores=8 or l1d.size=64KiB"),
        (TypeError, ["cores=many"], "cores must be an integer from 1 to 64, not 'many'"),
        (TypeError, ["cores=08"], "cores must be an integer from 1 to 64, not '08'"),
        (TypeError, ["mmu=no"], "mmu must be true or false, not 'no'"),
        (TypeError, ["l1d.sise=1KiB"], "l1d.sise is not a setting; did you mean l1d.size?"),
        (TypeError, ["l1.size=1KiB"], "l1 is not a setting; did you mean l"),
        (TypeError, ["l1d=none"], "l1d must be a CacheConfig or a table of size"),
        (TypeError, ["cores.x=1"], "cores must be an integer from 1 to 64, not {'x': '1'}"),
        (ValueError, ["l1d.size=3KB"], "l1d.size must be bytes, such as 4096"),
        (ValueError, ["dram.bytes_per_cycle=inf"], "dram.bytes_per_cycle must be a number from 1e-06 to 1024, not inf"),
    ],
)
def test_a_bad_word_of_a_command_line_is_refused(error, words, message):
    assert refusal(error, GENERIC.with_overrides, words).startswith(message)


# round trips


def values(kind):
    """Random values that one setting takes on its own."""
    match kind:
        case Integer():
            return st.integers(kind.low, min(kind.high, 10**9))
        case Positive():
            return st.floats(kind.low, kind.high, exclude_min=kind.low == 0)
        case Size():
            return st.integers(-(-kind.low // kind.multiple), kind.high // kind.multiple).map(lambda n: n * kind.multiple)
        case Choice():
            return st.sampled_from(kind.names)
        case Flag():
            return st.booleans()
        case Text():
            return st.text(st.characters(categories=("L", "N", "P", "S")) | st.sampled_from(" \"\\#=[]'"))
    raise AssertionError(kind)


@st.composite
def caches(draw):
    ways = draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    return {
        "size": draw(st.integers(1, 200)) * ways * 64,
        "ways": ways,
        "latency": draw(st.integers(0, 1000)),
        "replacement": draw(st.sampled_from(["lru", "tree-plru", "random", "nru"])),
    }


@st.composite
def tlbs(draw):
    ways = draw(st.integers(1, 64))
    return {"entries": draw(st.integers(1, 100)) * ways, "ways": ways, "latency": draw(st.integers(0, 100))}


def machines():
    """Random valid machines: every setting varies, those tied to others are drawn together."""
    parts = {
        "cores": st.sampled_from([4, 8, 64]),
        "sockets": st.sampled_from([1, 2, 4]),
        "memory": st.integers(1, 1000).map(lambda n: n * P.HUGE_PAGE),
    }
    for name, kind in MachineConfig.kinds().items():
        if name in parts:
            continue
        if not isinstance(kind, Table):
            parts[name] = values(kind)
            continue
        part = {CacheConfig: caches(), TlbConfig: tlbs()}.get(kind.record)
        if part is None:
            low = {k: Integer(1, 10**9) if k.startswith("remote_") else v for k, v in kind.record.kinds().items()}
            if "min_free" in low:
                low["min_free"] = Size(0, P.HUGE_PAGE // 4, P.PAGE)
            part = st.fixed_dictionaries({k: values(v) for k, v in low.items()})
        parts[name] = part | st.none() if kind.optional else part
    return st.fixed_dictionaries(parts).map(MachineConfig.from_dict)


@settings(deadline=None)
@given(machines())
def test_what_save_writes_load_reads(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "box.toml"
    config.save(path)
    assert MachineConfig.load(path) == config
    assert [p.name for p in path.parent.glob("*box.toml*")] == ["box.toml"]


@settings(deadline=None)
@given(machines())
def test_to_dict_is_json_and_comes_back(config):
    assert MachineConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.replace() == config


# files


def write(tmp_path, text):
    path = tmp_path / "box.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "error, text, message",
    [
        (ValueError, "cores = 8\nl1d 5\n", "2: not TOML: Expected '=' after a key in a key/value pair (column 5)"),
        (ValueError, 'cores = 8\nname = "x', "2: not TOML: "),
        (ValueError, "cores = 8\ncores = 9\n", "2: not TOML: Cannot overwrite a value (column 10)"),
        (TypeError, '# a box\n\n[l1d]\nsize = "64KiB"\nlatancy = 5\n', "5: l1d.latancy is not a setting; did you mean l1d.latency?"),
        (TypeError, 'cores = "8"\n', "1: cores must be an integer from 1 to 64, not '8'"),
        (TypeError, "[l1d]\nlatency = 4.5\n", "2: l1d.latency must be cycles from 0 to 1000000000, not 4.5"),
        (ValueError, 'cores = 4\n[l1d]\nsize = "1000B"\n', "3: l1d.size must be a multiple of 8 ways * 64 bytes, not 1000B"),
        (ValueError, '[llc]\nsize = "1GiB"\n', "2: llc.size must be from 64B to 512MiB, not 1GiB"),
        (TypeError, "l1d = 5\n", "1: l1d must be a CacheConfig or a table of size"),
        (TypeError, "[cache]\nsize = 5\n", "1: cache is not a setting; a machine takes name"),
        (TypeError, "llc = {sise = 5}\n", "1: llc.sise is not a setting"),
        (ValueError, 'base = "skylake"\n', "1: base must be one of generic"),
        (ValueError, 'cores = 8\n[sources]\ncore = "published: x"\n', "3: sources.core names no setting of this file"),
        (TypeError, "cores = 8\n[sources]\ncores = 8\n", "3: sources.cores must be text"),
        (TypeError, "sources = 8\n", "1: sources must be a table"),
    ],
)
def test_a_bad_file_is_refused_with_path_and_line(tmp_path, error, text, message):
    path = write(tmp_path, text)
    assert refusal(error, MachineConfig.load, path).startswith(f"{path}:{message}")


def test_a_file_that_is_not_text_is_refused_with_the_byte(tmp_path):
    path = write(tmp_path, b'name = "\xff"\n')
    assert refusal(ValueError, MachineConfig.load, path) == f"{path}: byte 8 is not UTF-8"


def test_a_file_may_begin_and_end_its_lines_as_on_windows(tmp_path):
    path = write(tmp_path, BOM_UTF8 + b'base = "zen3"\r\ncores = 4\r\n')
    assert MachineConfig.load(path) == MachineConfig.preset("zen3").replace(cores=4)
    wrong = write(tmp_path, BOM_UTF8 + b"# three\r\ncores = three\r\n")
    assert refusal(ValueError, MachineConfig.load, wrong).startswith(f"{wrong}:2: not TOML: ")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
def test_a_file_that_breaks_the_parser_is_refused_too(tmp_path, text):
    path = write(tmp_path, text)
    assert refusal(ValueError, MachineConfig.load, path).startswith(f"{path}: not TOML: ")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_load_or_are_refused_in_one_line(tmp_path_factory, data):
    path = write(tmp_path_factory.getbasetemp(), data)
    try:
        MachineConfig.load(path)
    except (TypeError, ValueError) as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)


def test_what_a_file_leaves_out_is_the_bases(tmp_path):
    assert MachineConfig.load(write(tmp_path, "")) == GENERIC
    assert MachineConfig.load(write(tmp_path, "[l1d]\nlatency = 5\n")) == GENERIC.replace(l1d={"latency": 5})
    assert MachineConfig.load(write(tmp_path, 'base = "zen3"\n')) == MachineConfig.preset("zen3")


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        MachineConfig.load(tmp_path / "none.toml")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write(tmp_path, "cores = 8\n")
    monkeypatch.setattr("os.replace", lambda a, b: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        GENERIC.save(path)
    assert path.read_text() == "cores = 8\n" and list(tmp_path.iterdir()) == [path]


# presets


def test_the_teaching_machines_come_first_and_seven_processors_follow():
    assert presets()[:2] == ["generic", "classroom"]
    assert presets()[2:] == sorted(presets()[2:]) and len(presets()) >= 9


def test_without_arguments_a_machine_is_generic():
    assert MachineConfig.preset("generic") == GENERIC
    assert (GENERIC.cores, GENERIC.protocol, GENERIC.ordering, GENERIC.memory) == (4, "mesi", "tso", 4 << 30)


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_valid_and_has_its_files_name(name):
    config = MachineConfig.preset(name)
    assert config.name == name and config.description
    assert MachineConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("name", presets())
def test_every_figure_of_a_preset_has_a_source_of_a_known_kind(name):
    sources = preset_sources(name)
    assert sources
    for path, text in sources.items():
        assert re.match(r"(published|derived|recalled|assumed): \S", text), path


@pytest.mark.parametrize("name", presets())
def test_a_preset_spells_out_every_part_of_the_hardware(name):
    named = {path.split(".")[0] for path in preset_sources(name)}
    unnamed = {f.name for f in fields(MachineConfig)} - named
    assert unnamed <= {"name", "description", "memory", "swap", "mmu", "thp", "vm"}


def test_a_preset_with_an_unsourced_figure_does_not_load(tmp_path, monkeypatch):
    monkeypatch.setattr("hwmem.config.file.PRESETS", tmp_path)
    (tmp_path / "bare.toml").write_text('cores = 2\n[l1d]\nsize = 64\n[sources]\ncores = "assumed: two"\n')
    assert refusal(ValueError, MachineConfig.preset, "bare") == f"{tmp_path / 'bare.toml'}:3: l1d.size has no source"


@pytest.mark.parametrize("name", presets())
def test_farther_is_never_faster(name):
    config = MachineConfig.preset(name)
    link, dram = config.interconnect, config.dram
    levels = [level.latency for level in (config.l1d, config.l2, config.llc) if level]
    assert levels == sorted(levels) and levels[-1] < dram.row_hit <= dram.row_miss <= dram.row_conflict
    assert levels[-1] <= link.forward_clean <= link.forward < dram.row_miss
    if config.sockets > 1:
        assert link.forward < link.remote_llc <= link.remote_forward


@pytest.mark.parametrize(
    "name, nanoseconds, remote",
    [
        ("coffee-lake", 21, None),
        ("ice-lake-sp", 51, 108),
        ("milan", 23, 197),
        ("zen3", 17, 85),
        ("graviton2", 47, None),
        ("westmere-ep", 37, 74),
        ("skylake-sp", 47, 134),
    ],
)
def test_a_bounced_line_takes_what_core_to_core_latency_measured(name, nanoseconds, remote):
    """A compare-and-swap on the other core's modified line; skylake-sp against its successor, the 8275CL."""
    config = MachineConfig.preset(name)
    bounce = (config.interconnect.forward + config.costs.atomic) / config.frequency_ghz
    assert bounce == pytest.approx(nanoseconds, rel=0.2)
    if remote:
        assert (config.interconnect.remote_forward + config.costs.atomic) / config.frequency_ghz == pytest.approx(remote, rel=0.2)


def test_dram_rows_differ_by_what_a_row_activation_takes():
    for name in presets()[2:]:
        config = MachineConfig.preset(name)
        gap = (config.dram.row_miss - config.dram.row_hit) / config.frequency_ghz
        assert 12 < gap < 19, name  # tRCD, ns
        assert config.dram.row_conflict - config.dram.row_miss == config.dram.row_miss - config.dram.row_hit
    assert isinstance(config.dram, DramConfig)


# documentation


@pytest.mark.parametrize("name", presets())
def test_the_documented_table_is_the_presets(name):
    config = MachineConfig.preset(name)

    def cache(level):
        return f"{format_size(level.size)} / {level.ways} / {level.latency}" if level else "-"

    row = next(line for line in DOCS.read_text().splitlines() if line.startswith(f"| {name} |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:] == [
        f"{config.cores} / {config.sockets}",
        cache(config.l1d),
        cache(config.l2),
        cache(config.llc),
        str(config.interconnect.forward),
        str(config.dram.row_miss),
        str(config.interconnect.remote_forward) if config.sockets > 1 else "-",
    ]


def test_the_documented_example_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DOCS.read_text()
    (tmp_path / "box.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    scope = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S)[1], scope)
    assert MachineConfig.load("small.toml") == scope["config"]
    assert scope["config"].llc.replacement == "nru" and scope["config"].l2 is None
