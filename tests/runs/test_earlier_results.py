"""Results that earlier versions saved are read if what they lack has a value that means the same; else the line says so.

tests/oracles/results: files that those versions wrote, 0.1.0 before its release. A setting, counter or column that comes without a word on
what it was before makes the first test fail.
"""

import json
import zipfile

import pytest
from documents import ROOT
from test_run import rewrite

import goalloc.cli.cli
import hwmem
from hwmem.cli.cli import main
from hwmem.config.machine import MachineConfig

KEPT = ROOT / "tests" / "oracles" / "results"


@pytest.mark.parametrize("name, commands", [("before_wake_call", [main]), ("before_wake_call_go", [main, goalloc.cli.cli.main])])
def test_a_result_from_before_a_setting_is_read(tmp_path, capsys, name, commands):
    path = KEPT / f"{name}.zip"
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read("result.json"))
    assert "wake_call" not in document["config"]["kernel"]
    result = hwmem.load_result(path)
    told = result.config.to_dict()
    assert (told["kernel"].pop("wake_call"), told["kernel"].pop("wake_idle")) == (0, 0)  # a wake-up cost its futex call alone
    assert told == document["config"] and result.cycles == document["cycles"] and result.counters == document["counters"]
    for command in commands:
        assert command(["report", str(path)]) == 0
        assert command(["html", str(path), "-o", str(tmp_path / "r.html")]) == 0
    assert main(["diff", str(path), str(path)]) == 0
    assert "Nothing differs" in capsys.readouterr().out


@pytest.mark.parametrize("name, lacks", [("before_recency", "recency is missing"), ("before_lazy", "'series.lazy' is missing")])
def test_one_without_what_cannot_be_known_says_which_version_wrote_it(capsys, name, lacks):
    path = KEPT / f"{name}.zip"
    assert main(["report", str(path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"hwmem: {path}: written by an earlier hwmem (0.1.0; this is {hwmem.__version__}), or damaged: {lacks}")
    assert told.endswith("; run it again with this one\n") and told.count("\n") == 1


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda d: [core.pop("walks") for core in d["counters"]["cores"]], "an earlier hwmem .*'walks' is missing"),
        (lambda d: d["config"].pop("dram"), "an earlier hwmem .*dram is missing"),
        (lambda d: d["config"]["kernel"].pop("futex"), "an earlier hwmem .*kernel.futex is missing"),
        (lambda d: d["config"].update(smell=1), "a later hwmem .*smell is not a setting"),
        (lambda d: d["config"]["l1d"].update(smell=1, version="9\n9"), "a later hwmem .*l1d.smell is not a setting"),
    ],
)
def test_names_of_other_versions_are_no_damage_alone(tmp_path, change, words):
    path = tmp_path / "r.hwm"
    path.write_bytes((KEPT / "before_wake_call.zip").read_bytes())
    rewrite(path, change)
    with pytest.raises(hwmem.ResultError, match=words) as refused:
        hwmem.load_result(path)
    assert "\n" not in str(refused.value)


def test_a_configuration_of_an_earlier_version_is_completed_and_no_other():
    config = MachineConfig()
    saved = config.to_dict()
    del saved["kernel"]["wake_call"]
    assert MachineConfig.from_dict(saved) == config.replace(kernel={"wake_call": 0})
    del saved["kernel"]["syscall"]
    with pytest.raises(TypeError, match=r"^kernel\.syscall is missing; it must be cycles"):
        MachineConfig.from_dict(saved)
