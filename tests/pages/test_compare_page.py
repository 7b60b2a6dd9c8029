"""The page of several runs."""

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

from muslin.files import read_json, write_json, write_json_lines
from muslin.report.compare_page import write
from muslin.report.comparison import histories, labels, pairwise, series

EVIL = "<script>alert(1)</script>"


def run(folder, name, size, odd=None):
    """A run directory with a history, by hand."""
    path = folder / name.replace("/", "_")
    path.mkdir(parents=True)
    usual = {"learning_rate": 0.1, "seconds": 1.0, "samples_per_second": 10.0}
    rows = [{"epoch": e, "loss": 1 / e + size / 100, "val_loss": 1.2 / e, "accuracy": 1 - 0.5 / e} for e in (1, 2, 3)]
    write_json(path / "config.json", {"name": name, "data_checksums": {}})
    write_json_lines(path / "history.jsonl", [row | usual for row in rows])
    scores = {"precision": 0.5, "recall": 0.5, "f1": 0.5 + size / 100, "samples": 50}
    classes = [{"class": name, **scores} for name in ("shoe", EVIL)]
    figures = {"epochs": 3, "best_epoch": 3, "loss": 1.0, "parameters": 9, "engine": "numpy", **usual}
    write_json(path / "summary.json", figures | {"test_accuracy": 0.8 + size / 100, "per_class": classes})
    return {"run": str(path), "hidden_size": size, "odd": odd, "test_accuracy": 0.8 + size / 100}


@pytest.fixture
def rows(tmp_path):
    return [run(tmp_path, "<i>small & slow", 4, EVIL), run(tmp_path, EVIL, 8), run(tmp_path, "large", 16)]


@pytest.fixture
def made(rows, tmp_path):
    tests = [
        {"a": a["run"], "b": b["run"], "samples": 100, "only_a": 61, "only_b": 43, "p": 0.09, "exact": False}
        | {"p_holm": 0.18, "sentence": f"{EVIL} is no better."}
        for a, b in (rows[:2], rows[1:])
    ]
    write(rows, ["hidden_size", "odd"], ["test_accuracy"], tests, tmp_path / "page.html")
    return tmp_path / "page.html"


def test_the_page_has_it_all_as_text(made, rows, open_page):
    page = open_page(made)
    assert page.title() == "3 runs compared"
    names = page.locator("#settings tbody th").all_inner_texts()
    assert names == ["<i>small & slow", "<script>alert(1)<_script>", "large"]
    assert page.locator("#settings tbody td").nth(1).inner_text() == EVIL
    assert page.locator("li").first.inner_text() == f"{EVIL} is no better."
    legend = page.locator("#curves-1 .legendtext").all_text_contents()
    assert legend == names
    assert page.locator("#curves-1 .scatterlayer .trace").count() == 6  # training and validation
    assert page.locator("#curves-2 .scatterlayer .trace").count() == 3
    assert EVIL in page.locator("#classes").text_content()
    assert page.get_by_text("Holm's correction (1979)").count() == 1


def test_the_tables_sort(made, open_page):
    page = open_page(made)
    button = page.locator("#figures").get_by_role("button", name="test_accuracy")
    button.press("Enter")
    button.press("Enter")
    assert page.locator("#figures tbody td").all_inner_texts() == ["0.96", "0.88", "0.84"]


@pytest.mark.parametrize(
    ("width", "dark"),
    [pytest.param(1280, False, marks=pytest.mark.slow), (390, True)],
    ids=["wide, light", "narrow, dark"],
)
def test_accessible_and_no_wider_than_the_window(made, open_page, width, dark):
    page = open_page(made, width=width, dark=dark)
    found = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_real_runs(finished, copy, open_page, tmp_path):
    paths = [str(finished.path), str(copy.path)]
    tests = pairwise(paths)
    assert [(test["only_a"], test["only_b"], test["p"]) for test in tests] == [(0, 0, 1)]
    write([{"run": path} for path in paths], [], [], tests, tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    assert "None: they have the same settings." in page.locator("main").inner_text()
    assert "no clear difference" in page.locator("li").inner_text()
    assert page.locator("h3").all_inner_texts()[:2] == ["Loss", "Accuracy"]


@pytest.mark.slow
def test_runs_without_history_or_tests(tmp_path, open_page):
    (tmp_path / "a").mkdir()
    write([{"run": str(tmp_path / "a")}], [], [], [], tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    assert "McNemar's test was not made" in page.locator("main").inner_text()
    assert page.locator(".chart").count() == 0


def test_the_curves_of_any_program(tmp_path):
    rows = [{"step": 1, "reward": 2.0, "note": "x", "seconds": 3}, {"step": 2, "reward": None, "val_reward": 1}]
    write_json(tmp_path / "a" / "config.json", {"name": "a", "config": {}, "command": ["x"]})
    write_json_lines(tmp_path / "a" / "history.jsonl", rows)
    found = series(histories([tmp_path / "a", tmp_path / "none"]))
    assert found == {
        "reward": {str(tmp_path / "a"): {"reward": ([1, 2], [2.0, None]), "val_reward": ([1, 2], [None, 1])}}
    }


def test_labels_are_distinct():
    assert labels(["x/best", "y/best", "y/other"]) == {"x/best": "x/best", "y/best": "y/best", "y/other": "other"}


def test_a_data_set_under_two_names_is_one(copy, tmp_path):
    """What counts is what is in it."""
    other = shutil.copytree(copy.path, tmp_path / "other")
    config = read_json(other / "config.json")
    npz = shutil.copy(config["dataset"], tmp_path / "moved.npz")
    write_json(other / "config.json", config | {"dataset": str(npz)})
    assert len(pairwise([copy.path, other])) == 1
