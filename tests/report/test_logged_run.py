"""The page of a run that another program has logged, and the terminal's words on it."""

import json
from array import array

import pytest

from muslin.report import logged_run
from muslin.report.logged_run import LoggedRun, LogReader, contents, sampled

NAME = "<img src=x onerror=alert(1)>"


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run"
    (path / "files" / "media" / "table").mkdir(parents=True)
    config = {"name": NAME, "config": {"lr": 0.1, "net": {"units": [3, 4]}}, "wandb": {"project": "p", "tags": [NAME]}}
    chart = {"panel_config": {"panelDefId": "wandb/confusion_matrix/v1"}}
    fields = {"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"}
    chart["panel_config"]["fieldSettings"] = fields
    config["client"] = {"visualize": {"cm": chart}}
    (path / "config.json").write_text(json.dumps(config))
    table = {"columns": [*fields], "data": [["a", "a", 5], ["a", "b", 2], ["b", "a", 0], ["b", "b", 7]]}
    (path / "files" / "media" / "table" / "cm.json").write_text(json.dumps(table))
    outside = {"_type": "table-file", "path": "../../config.json"}
    rows = [{"loss": 3.0, "val": {"acc": 0.5}, "_step": 0, "_timestamp": 1.0}, {"loss": None, "_step": 1}]
    rows += [
        {"loss": 1.0, "text": "word", "_step": 2},
        {"pic": {"_type": "image-file", "path": "media/a b.png"}, "_step": 3},
    ]
    rows += [{"cm_table": {"_type": "table-file", "path": "media/table/cm.json"}, "evil": outside, "_step": 4}]
    (path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "log.txt").write_text(f"2026-01-01T00:00:00.000001 hello\nERROR 2026-01-01T00:00:00.000001 {NAME}\n")
    return path


def test_it_is_told_apart_from_a_run_of_ours(run, finished):
    assert logged_run.is_logged(run)
    assert not logged_run.is_logged(finished.path)
    assert not logged_run.is_logged(run / "files")


def test_what_the_page_is_given(run):
    found = contents(LoggedRun(run), "run/files/")
    assert {prefix: [key for _, key, _ in curves] for prefix, curves in found["groups"].items()} == {
        "": ["loss", "val.acc"]
    }
    loss = found["groups"][""][0][2]["data"][0]
    assert (loss["x"], loss["y"]) == ([0, 2], [3.0, 1.0])
    assert found["media"]["pic"][0]["at"] == "run/files/media/a%20b.png"
    assert found["config"] == [("lr", "0.1"), ("net.units", "[3, 4]")]
    assert dict(found["summary"]) == {"loss": "1", "val.acc": "0.5"}
    (plot,) = found["plots"]
    assert [[cell["count"] for cell in row] for row in plot["matrix"]["rows"]] == [[5, 2], [0, 7]]
    assert found["tables"] == [], "one is drawn as a matrix, one would lie outside"
    assert found["console"]["text"] == f"hello\n{NAME}"


def test_the_page_is_one_file_that_says_names_and_runs_none(run):
    page = logged_run.write(run)["report"].read_text(encoding="utf-8")
    assert NAME not in page
    assert "files/media/a%20b.png" in page


def test_a_log_is_read_on_and_begin_again(tmp_path):
    path = tmp_path / "history.jsonl"
    log = LogReader(path)
    assert log.update().rows == 0
    path.write_text('{"a": 1}\n{"a": 2}\n{"a"')
    assert [*log.update().numbers["a"][1]] == [1, 2]
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    assert [*log.update().numbers["a"][1]] == [1, 2, 3]
    path.write_text('{"a": 9}\n')
    assert [*log.update().numbers["a"][1]] == [9]


def test_of_many_points_peaks_stay():
    values = array("d", [0.0] * 100_000)
    values[54_321], values[7] = 5.0, -5.0
    places = sampled(values, 1000)
    assert {0, 7, 54_321, 99_999} <= set(places)
    assert len(places) <= 1002
    assert [*sampled(values[:10], 1000)] == [*range(10)]


def test_a_terminal_follows_it(run):
    shown = LoggedRun(run)
    assert shown.lines()[0] == "epoch   1  loss 3  val.acc 0.5"
    assert shown.status() == "5 steps logged"
    assert not shown.over
    (run / "summary.json").write_text('{"state": "failed", "loss": 1.0}')
    assert shown.over
    assert shown.status() == "failed after 5 steps"
