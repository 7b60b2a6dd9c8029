import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from muslin import runs
from muslin.sweeps.file import schema

READY = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny):
    """A sweep of nine trials, as the command leaves it."""
    import yaml

    from muslin.executors.processes import Processes
    from muslin.sweeps.directory import begin
    from muslin.sweeps.scheduler import Scheduler

    path = tmp_path_factory.mktemp("runs")
    (path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    where, study = begin(schema.read(path / "tiny.yaml"), "tiny", path)
    Scheduler(where, study, Processes(2, where.path / "workers.log"), count=9).run()
    return where.path


def test_json_is_one_object_and_goes_on(sweep_file, tmp_path, muslin_json):
    file = sweep_file(parameters={"epochs": {"value": 1}})
    for count in (2, 3):
        found = muslin_json("sweep", file, "--count", count, "--workers", 1, "--runs-dir", tmp_path)
        assert found.keys() == {"sweep", "trials", "best"}
        assert found["sweep"] == str(tmp_path / "tiny")
        assert found["trials"] == {"finished": count, "stopped_early": 0, "failed": 0}
    best = found["best"]
    assert best.keys() == {"value", "params", "run"}
    run = runs.Run(Path(best["run"]))
    assert run.summary["val_accuracy"] == best["value"]
    assert best["params"]["learning_rate"] == run.settings.learning_rate


def test_a_changed_file_is_refused(swept, sweep_file, muslin):
    code, out, err = muslin("sweep", sweep_file(parameters={"epochs": {"value": 3}}), "--runs-dir", swept.parent)
    assert (code, out) == (2, "")
    assert "parameters.epochs.value was 2, is 3" in err
    assert err.count("\n") == 1


def test_check_lists_every_problem(sweep_file, muslin, tmp_path):
    file = sweep_file(method="radom", run_cap=0, parameters={"learning_rate": {"min": 2.0, "max": 1.0}})
    code, out, err = muslin("sweep", file, "--check")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"muslin: {file}: ") for line in lines)
    for key in ("method", "run_cap", "parameters.learning_rate"):
        assert any(key in line for line in lines)
    assert not list(tmp_path.glob("runs"))


def test_check_says_the_nearest_name(sweep_file, muslin):
    file = sweep_file(parameters={"learning_rat": {"value": 1}, "learning_rate": None})
    code, _, err = muslin("sweep", file, "--check")
    assert code == 2
    assert "Did you mean 'learning_rate'?" in err


def test_check_prints_the_space(sweep_file, muslin, muslin_json):
    file = sweep_file(run_cap=7)
    code, out, err = muslin("sweep", file, "--check")
    assert (code, err) == (0, "")
    assert "maximize val_accuracy" in out
    assert "0.001 to 0.02, log-uniform" in out
    assert muslin_json("sweep", file, "--check")["parameters"]["optimizer"] == "one of MGD, adam"


def test_check_says_what_stops_runs_and_what_is_doubtful(sweep_file, muslin):
    file = sweep_file(early_terminate={"type": "hyperband", "min_iter": 3}, colour="red")
    code, out, err = muslin("sweep", file, "--check")
    assert code == 0
    assert "stops      hyperband at iterations 3, 9, 27, 81 (up to 100), eta 3" in out
    assert err.startswith(f"muslin: {file}: ")
    assert "colour" in err
    assert "metric" not in muslin("sweep", sweep_file(metric=None), "--check")[1]


def test_wandbs_search_of_a_program_is_its_agents(sweep_file, tmp_path, muslin):
    code, out, err = muslin("sweep", sweep_file(program="p.py"), "--engine", "wandb", "--runs-dir", tmp_path / "runs")
    assert (code, out) == (2, "")
    assert "has a program: for W&B's search there is `wandb agent`" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("file", READY, ids=lambda file: file.stem)
def test_the_ready_files_are_valid(file, muslin_json):
    found = muslin_json("sweep", file, "--check")
    assert found["valid"]
    if file.stem == "course_grid":
        assert found["points"] == 11_664


def test_the_ready_files_are_there():
    names = ["course_bayes", "course_grid", "course_random", "mnist", "quick", "train_py", "training"]
    assert [file.stem for file in READY] == names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "cloud"], "Unknown engine 'cloud'"),
        (["--sampler", "tep"], "Did you mean 'tpe'?"),
        (["--storage", "nonsense"], "must be a database's URL"),
        (["--count", "0"], "--count"),
        (["--workers", "0"], "--workers"),
        (["--name", "..."], "no letter or digit"),
    ],
)
def test_bad_words_are_one_line(sweep_file, tmp_path, muslin, words, message):
    code, out, err = muslin("sweep", sweep_file(), "--runs-dir", tmp_path / "runs", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_missing_file_is_one_line(muslin, tmp_path):
    code, _, err = muslin("sweep", tmp_path / "none.yaml")
    assert code == 2
    assert "none.yaml" in err
    assert err.count("\n") == 1


def test_best_trains_the_best_trial_on_all_data_and_tests_it_once(swept, muslin_json, muslin):
    found = muslin_json("best", swept)
    assert found["run"] == str(swept / "best")
    run = runs.Run(swept / "best")
    assert run.settings.validation == 0
    best = runs.Run(Path(found["best"]["trial_run"]))
    assert run.settings == best.settings.model_copy(update={"validation": 0})
    values = [runs.Run(path.parent).summary.get("val_accuracy", 0) for path in swept.glob("hl*/summary.json")]
    assert found["best"]["value"] == max(values)
    assert found["test_accuracy"] > 0.1
    assert sum(map(sum, found["confusion_matrix"])) == 297
    assert (swept / "best" / "confusion_matrix.png").stat().st_size > 10_000
    before = (swept / "best" / "test.json").stat().st_mtime_ns
    code, out, _ = muslin("best", swept)
    assert code == 0
    assert f"the highest of {len(values)} trials" in out
    assert (swept / "best" / "test.json").stat().st_mtime_ns == before


def test_best_with_another_seed_is_another_run(swept, muslin_json):
    muslin_json("best", swept)
    assert muslin_json("best", swept, "--seed", 3)["run"] == str(swept / "best-2")


def test_best_draws_what_a_kill_kept_from_being_drawn(swept, muslin_json):
    muslin_json("best", swept)
    for name in ("curves.png", "test.json"):
        (swept / "best" / name).unlink()
    muslin_json("best", swept)
    assert (swept / "best" / "curves.png").exists()


def test_best_may_be_shown_elsewhere(swept, muslin):
    code, _, err = muslin("best", swept, "--tracker", "cloud")
    assert code == 2
    assert "Unknown tracker 'cloud'" in err


def test_best_needs_a_sweep(tmp_path, muslin):
    code, _, err = muslin("best", tmp_path)
    assert code == 2
    assert "is not a sweep directory" in err


def test_compare_sorts_filters_and_names_what_differs(swept, muslin_json, muslin):
    rows = muslin_json("compare", swept, "--sort", "val_accuracy")["runs"]
    assert len(rows) == 9
    values = [row["val_accuracy"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert {"trial", "optimizer", "learning_rate", "parameters"} <= rows[0].keys()
    assert not {"batch_size", "dataset"} & rows[0].keys()
    some = muslin_json("compare", swept, "--filter", "optimizer=ADAM,learning_rate>0.003")["runs"]
    expected = [r["run"] for r in rows if r["optimizer"] == "adam" and r["learning_rate"] > 0.003]
    assert sorted(row["run"] for row in some) == sorted(expected)
    _, out, _ = muslin("compare", swept, "--format", "csv")
    assert [row["trial"] for row in csv.DictReader(io.StringIO(out))] == [str(n) for n in range(9)]
    _, out, _ = muslin("compare", swept)
    assert all(Path(row["run"]).name in out for row in rows)


def test_compare_takes_runs(swept, muslin_json):
    some = sorted(swept.glob("hl*"))[:2]
    rows = muslin_json("compare", *some)["runs"]
    assert [row["run"] for row in rows] == [*map(str, some)]
    assert muslin_json("compare", some[0])["runs"][0]["dataset"] == "digits"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sort", "val_acuracy"], "Did you mean 'val_accuracy'?"),
        (["--filter", "optimiser=adam"], "Did you mean 'optimizer'?"),
        (["--filter", "adam"], "is no condition"),
        (["--format", "xml"], "Unknown format 'xml'"),
    ],
)
def test_compare_with_bad_words(swept, muslin, words, message):
    code, out, err = muslin("compare", swept, *words)
    assert (code, out) == (2, "")
    assert message in err


def test_compare_with_nothing(tmp_path, muslin):
    assert muslin("compare", tmp_path)[0] == 2
    assert muslin("compare", tmp_path / "none")[0] == 2


def test_the_analysis_is_written(swept):
    from muslin.sweeps.analysis import analyse
    from muslin.sweeps.directory import SweepDirectory

    where = SweepDirectory(swept)
    pictures = analyse(where, where.study())
    names = ("best_so_far", "correlation", "hyperparameters", "importance", "parallel_coordinates")
    assert sorted(pictures) == [f"{name}.png" for name in names]
    assert all((swept / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    found = json.loads((swept / "analysis.json").read_text())
    assert len(found["parallel_coordinates"]) == len(found["best_so_far"]) == 9
    best = [row["best"] for row in found["best_so_far"]]
    assert best == sorted(best)
    assert sum(found["importance"]["fanova"].values()) == pytest.approx(1)
    r = {(row["name"], row["value"]): row["r"] for row in found["correlation"]}
    assert r["optimizer", "MGD"] == pytest.approx(-r["optimizer", "adam"])


@pytest.mark.parametrize("command", ["report", "compare", "watch"])
def test_a_storage_without_the_sweep_is_refused_and_not_written(command, swept, tmp_path, muslin):
    with closing(sqlite3.connect(tmp_path / "mine.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "mine.db").read_bytes()
    for name, message in (("mine.db", "has no sweep"), ("typo.db", "There is no storage")):
        code, out, err = muslin(command, swept, "--storage", f"sqlite:///{tmp_path / name}")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert (tmp_path / "mine.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]


def test_check_says_what_a_name_was_read_as(sweep_file, muslin):
    parameters = {"hidden_size": None, "no_hidden_layer": None, "size_hidden": {"values": [4, 8]}}
    code, out, err = muslin("sweep", sweep_file(parameters=parameters), "--check")
    assert (code, err) == (0, "")
    assert re.search(r"parameter  size_hidden +one of 4, 8  \(hidden_size\)", out)


def test_two_by_two_are_four(sweep_file, tmp_path, muslin_json, muslin):
    space = {"learning_rate": {"values": [0.001, 0.01]}, "optimizer": {"value": "adam"}, "epochs": {"value": 1}}
    file = sweep_file(method="bayes", parameters=space)
    words = ["sweep", file, "--count", 10, "--workers", 2, "--runs-dir", tmp_path]
    assert muslin_json(*words)["trials"]["finished"] == 4
    code, out, _ = muslin(*words)
    assert code == 0
    assert "ended      each of the 4 configurations has been run" in out
