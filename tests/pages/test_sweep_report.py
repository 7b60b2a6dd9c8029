"""The page of a sweep, driven as a person does: sort, filter, brush; whatever the names, the metric and the trials."""

import json

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from muslin.sweeps import directory
from muslin.sweeps.file import schema
from muslin.sweeps.report import write
from muslin.sweeps.search import SEARCHES

EVIL = "<script>alert(1)</script>"
RAW = {
    "method": "random",
    "metric": {"name": "val_accuracy", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 0.0001, "max": 0.1},
        "optimizer": {"values": ["adam", "nadam", "sgd"]},
        "hidden_size": {"values": [32, 64]},
    },
}


def sweep(folder, n, raw=RAW, name="found", run="run-{}"):
    """The directory of a sweep whose n trials were told, not trained. Every fifth failed, every third was stopped."""
    where, study = directory.begin(schema.parse(raw), name, folder)
    search = SEARCHES[where.sweep.method](where.sweep, 0, None)
    for i, u in enumerate(np.random.default_rng(1).random(n).tolist()):
        asked = search.ask(i)
        trial = study.start(study.take(lambda _: True), asked, run.format(i))
        trial.value = u + (asked.config.get("optimizer") == "adam")
        trial.state = "failed" if i % 5 == 4 else "stopped_early" if i % 3 == 2 else "finished"
        trial.reason = {"failed": f"The loss is {EVIL}.", "stopped_early": "worse than the best third"}.get(trial.state)
        study.end(trial)
    return where.path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = sweep(tmp_path_factory.mktemp("runs"), 40)
    (path / "run-0").mkdir()
    (path / "run-0" / "report.html").write_text("<title>run 0</title>")
    return path, write(path)


@pytest.fixture
def page(made, open_page):
    return open_page(made[1]["report"])


def column(page, name):
    """The texts of a column of the table of runs, of the rows that are shown."""
    heads = page.locator("#runs thead th").all_inner_texts()
    at = [head.strip(" ▲▼") for head in heads].index(name)
    rows = page.locator("#runs tbody tr:visible")
    return rows.evaluate_all(f"rows => rows.map((row) => row.cells[{at}].textContent.trim())")


def test_what_is_written(made):
    path, written = made
    names = ("best_so_far", "correlation", "hyperparameters", "importance", "parallel_coordinates")
    assert [picture.name for picture in written["pictures"]] == [f"{name}.png" for name in names]
    assert written["left_out"] == []
    assert json.loads((path / "analysis.json").read_text())["trials"] == 32
    assert written["report"].stat().st_size < 6e6


def test_the_table_sorts(page):
    assert column(page, "trial") == [str(i) for i in range(40)]
    page.get_by_role("button", name="val_accuracy").click()
    values = [float(v) for v in column(page, "val_accuracy") if v]
    assert len(values) == 32
    assert values == sorted(values, reverse=True)  # the best first
    assert column(page, "val_accuracy")[32:] == [""] * 8  # what has none comes last, whatever the order
    page.get_by_role("button", name="val_accuracy").press("Enter")
    assert [float(v) for v in column(page, "val_accuracy")[:32]] == values[::-1]
    assert column(page, "val_accuracy")[32:] == [""] * 8
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


#: what is typed → the rows that it leaves
FILTERS = {
    "NADAM": lambda row: row["optimizer"] == "nadam",
    "optimizer=adam hidden_size>32": lambda row: row["optimizer"] == "adam" and row["hidden_size"] == "64",
    "learning_rate<=0.001": lambda row: float(row["learning_rate"]) <= 0.001,
    "state!=finished": lambda row: row["state"] != "finished",
    "val_accuracy>1": lambda row: row["val_accuracy"] and float(row["val_accuracy"]) > 1,
    "nothing like it": lambda row: False,
}


def test_the_table_filters(page):
    names = ("trial", "state", "val_accuracy", "learning_rate", "optimizer", "hidden_size")
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(column(page, name) for name in names), strict=True)]
    for words, holds in FILTERS.items():
        page.get_by_label("Filter").fill(words)
        wanted = [row["trial"] for row in rows if holds(row)]
        assert len(wanted) < 40
        assert column(page, "trial") == wanted
        assert page.get_by_role("status").inner_text() == f"{len(wanted)} of 40"


def test_brushing_an_axis_filters_table_and_charts(page):
    everything = column(page, "optimizer")
    axis = page.locator("#parallel .y-axis").nth(2).locator(".axis-brush")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + 0.85 * box["height"])  # adam is the lowest of three
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] - 1, steps=5)
    page.mouse.up()
    page.locator("#clear:enabled").wait_for()
    left = column(page, "optimizer")
    assert set(left) == {"adam"}
    assert len(left) < everything.count("adam")  # without those that failed
    points = "() => document.getElementById('strip-1').data.map((trace) => trace.selectedpoints.length)"
    assert sum(page.evaluate(points)) == len(left)
    page.get_by_role("button", name="Dark").click()
    assert column(page, "optimizer") == left
    assert sum(page.evaluate(points)) == len(left)
    page.get_by_label("Filter").fill("state=finished")  # both hold
    assert set(column(page, "optimizer")) == {"adam"}
    assert set(column(page, "state")) == {"finished"}
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Clear the brush").click()
    page.locator("#clear:disabled").wait_for()
    assert column(page, "optimizer") == everything


def test_what_to_try_next_and_how_sure_that_is(page):
    card = page.locator("#next")
    assert card.locator("tbody tr").count() == 3
    assert "adam" in card.locator("tbody tr").first.inner_text().split()
    assert "±" in card.locator("tbody th").first.inner_text()
    assert "The best seen so far is" in card.inner_text()
    assert "random forest" in card.inner_text()


@pytest.mark.parametrize(
    ("width", "dark"),
    [pytest.param(1280, False, marks=pytest.mark.slow), (390, True)],
    ids=["wide, light", "narrow, dark"],
)
def test_accessible_and_no_wider_than_the_window(made, open_page, width, dark):
    page = open_page(made[1]["report"], width=width, dark=dark)
    found = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_odd_names_are_text(tmp_path, open_page):
    values = [EVIL, "<b>$x$</b> & more", "'\"", None]
    parameters = {"net": {"parameters": {"odd": {"values": values}}}, "n": {"min": 1, "max": 99}}
    raw = {"program": f"{EVIL}.py", "method": "random", "metric": {"name": EVIL}, "parameters": parameters}
    page = open_page(write(sweep(tmp_path, 16, raw | {"description": EVIL}, run="<b>&{}"))["report"])
    assert f"Best {EVIL}" in page.locator(".tiles").inner_text()
    assert page.locator("#runs tbody td").first.inner_text() == "<b>&0"
    assert set(column(page, "net.odd")) == {EVIL, "<b>$x$</b> & more", "'\"", ""}
    for chart in ("#parallel", "#correlation", "#strip-2"):
        assert EVIL in page.locator(chart).text_content()
        assert "<b>$x$</b> & more" in page.locator(chart).text_content()


PROGRAM = RAW | {"metric": {"name": "loss"}, "program": "a.py"}


@pytest.mark.slow
@pytest.mark.parametrize(("n", "raw"), [(0, RAW), (1, PROGRAM), (3, RAW)], ids=["none", "one of a program", "three"])
def test_few_trials(tmp_path, open_page, n, raw):
    page = open_page(write(sweep(tmp_path, n, raw))["report"])
    assert page.locator("#runs tbody tr").count() == n
    assert f"Too few trials to learn from: {n} have a value" in page.locator("#next").inner_text()
    assert page.locator(".notice").count() == (1 if n else 3)


@pytest.mark.slow
def test_nothing_is_searched(tmp_path, open_page):
    page = open_page(write(sweep(tmp_path, 1, RAW | {"parameters": {"epochs": {"value": 1}}}))["report"])
    assert "searches nothing" in page.locator("#next").inner_text()
    assert page.locator("#best-so-far .main-svg").count()


@pytest.mark.slow
def test_all_trials_failed(tmp_path, open_page):
    path = sweep(tmp_path, 0)
    where = directory.SweepDirectory(path)
    study = where.study()
    trial = study.start(study.take(lambda _: True), SEARCHES["random"](where.sweep, 0, None).ask(0), "run-0")
    trial.state, trial.reason = "failed", "It diverged."
    study.end(trial)
    page = open_page(write(path)["report"])
    assert column(page, "reason") == ["It diverged."]
    assert "1 failed" in page.locator(".tiles").inner_text()


@pytest.mark.slow
def test_a_run_with_a_report_is_a_link_wherever_the_page_is(made, page, open_page, tmp_path):
    assert page.locator("#runs a").get_attribute("href") == "run-0/report.html"
    page = open_page(write(made[0], tmp_path / "else where" / "sweep.html")["report"])
    assert page.locator("#runs a").all_inner_texts() == ["run-0"]
    page.locator("#runs a").click()
    page.wait_for_url("**/run-0/report.html")
    assert page.title() == "run 0"


@pytest.mark.slow
def test_two_hundred_runs_are_small(tmp_path):
    assert write(sweep(tmp_path, 200))["report"].stat().st_size < 6e6
