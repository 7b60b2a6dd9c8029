"""muslin doctor, muslin help, completion, and muslin data without a name."""

import json

import pytest

from muslin.runs import doctor


def findings(muslin):
    code, out, err = muslin("doctor", "--json")
    assert err == ""
    told = json.loads(out)
    assert told["healthy"] == (code == 0)
    return code, {finding["name"]: finding for finding in told["findings"]}


def test_a_machine_that_is_well(muslin):
    code, found = findings(muslin)
    assert code == 0
    assert found.keys() >= {"python", "processor", "cores", "engine", "cache", "data", "extra fast", "disk", "clock"}
    assert not [finding for finding in found.values() if finding["state"] == "wrong"]
    out = muslin("doctor").out
    assert out.endswith("Nothing is wrong.\n")


def test_an_unwritable_cache_is_wrong(muslin, monkeypatch, alone):
    (alone / "file").write_text("")
    monkeypatch.setenv("MUSLIN_CACHE", str(alone / "file"))
    code, found = findings(muslin)
    assert (code, found["cache"]["state"]) == (1, "wrong")
    assert "MUSLIN_CACHE" in found["cache"]["remedy"]
    assert "1 wrong" in muslin("doctor").out


def test_one_core_is_said(muslin, monkeypatch):
    monkeypatch.setattr(doctor, "cores", lambda: 1)
    assert findings(muslin)[1]["cores"]["state"] == "better"


def test_without_numba(muslin, monkeypatch):
    class Plain:
        name = "numpy"

    monkeypatch.setattr(doctor, "engine", Plain)
    monkeypatch.setattr(doctor, "installed", lambda package: None)
    code, found = findings(muslin)
    assert (code, found["engine"]["state"]) == (0, "better")  # it works
    assert found["engine"]["remedy"] == found["extra fast"]["remedy"] == "pip install 'muslin[fast]'"


def test_an_extra_that_is_too_old_is_wrong(muslin, monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda package: "0.0.1")
    code, found = findings(muslin)
    assert (code, found["extra fast"]["state"]) == (1, "wrong")
    assert "numba must be >=" in found["extra fast"]["says"]


def test_an_examination_that_fails_is_told(muslin, monkeypatch):
    monkeypatch.setitem(doctor.EXAMINATIONS, "clock", lambda: 1 / 0)
    code, found = findings(muslin)
    assert (code, found["clock"]["says"]) == (1, "could not be examined: division by zero")


@pytest.mark.parametrize(("line", "limit"), [("150000 100000", 1.5), ("max 100000", None)])
def test_the_limit_of_a_container(tmp_path, line, limit):
    group = tmp_path / "cgroup" / "job"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text(line)
    (tmp_path / "own").write_text("0::/job\n")
    assert doctor.quota(tmp_path / "cgroup", tmp_path / "own") == limit


def test_the_limit_of_a_container_of_the_first_version(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "own").write_text("3:cpu:/job\n")
    assert doctor.quota(tmp_path, tmp_path / "own") == 0.5


def test_a_limit_below_the_cores_tells_how_many_threads(muslin, monkeypatch):
    monkeypatch.setattr(doctor, "quota", lambda: 1.5)
    monkeypatch.setattr(doctor, "cores", lambda: 8)
    assert findings(muslin)[1]["cores"]["remedy"].endswith("OPENBLAS_NUM_THREADS=1")


def test_a_blas_that_is_not_known_is_called_so(muslin, monkeypatch):
    monkeypatch.setattr(doctor.blas, "description", dict)
    assert findings(muslin)[1]["BLAS"]["says"].startswith("not known to threadpoolctl")
    monkeypatch.setattr(doctor, "installed", lambda package: None)
    assert findings(muslin)[1]["BLAS"]["says"] == "unknown without threadpoolctl"


def test_data_without_a_name_lists_what_there_is(muslin):
    code, out, err = muslin("data")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["fashion_mnist", "mnist", "digits", "Your"]
    told = json.loads(muslin("data", "--json").out)["datasets"]
    assert told[-1]["here"] is True


def test_help_on_a_setting_a_topic_and_a_command(muslin):
    assert "nadam" in muslin("help", "optimizer").out
    assert "130" in muslin("help", "exit-codes").out
    assert "Usage: muslin train" in muslin("help", "train").out
    assert json.loads(muslin("help", "epochs", "--json").out)["rows"]["default"] == "10"
    code, out, err = muslin("help", "optimiser")
    assert (code, out) == (2, "")
    assert "optimizer" in err


@pytest.mark.parametrize(("line", "word"), [("muslin doc", "doctor"), ("muslin train --opt", "--optimizer")])
def test_a_shell_completes(child, line, word):
    n = len(line.split()) - 1
    code, out, err = child(_MUSLIN_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(n))
    assert (code, out.split(), err) == (0, [word], "")


def test_completion_is_installed(child, alone):
    told = {"HOME": str(alone), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    code, _, err = child("--install-completion", "bash", **told)
    assert (code, err) == (0, "")
    assert "_MUSLIN_COMPLETE" in (alone / ".bash_completions" / "muslin.sh").read_text()
