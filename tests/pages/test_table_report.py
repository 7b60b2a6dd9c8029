"""`muslin report RUN` of a table: columns, what they are worth, calibration, errors."""

import re
import shutil

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from toys import table

from muslin import datasets, runs
from muslin.files import read_json
from muslin.report import run_report
from muslin.report.live import WatchedRun
from muslin.runs import Run
from muslin.runs.settings import Settings

HOSTILE = "<script>alert(1)</script> & <b>bold</b>"
LITTLE = {"hidden_size": "8", "activation": "relu", "epochs": 3, "batch_size": 16, "engine": "numpy"}


def trained(frame, target, folder, evaluated=True, **settings):
    frame.to_csv(folder / "t.csv", index=False)
    settings = Settings.read(LITTLE, {"dataset": str(folder / "t.csv"), "target": target, **settings})
    data = settings.load_data(quiet=True)
    run = runs.create(settings, data, folder, target)
    runs.train(run, data)
    if evaluated:
        runs.evaluate_test(run, data)
    return run


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    frame = table().rename(columns={"gap": HOSTILE}).drop(columns="size")
    return trained(frame, "kind", tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    return trained(table().drop(columns="kind"), "size", tmp_path_factory.mktemp("numbers"), epochs=40)


def test_classes(classes, open_page):
    written = run_report.write(classes)
    assert {path.name for path in written["pictures"]} == {"curves.png", "importance.png", "calibration.png"}
    assert written["left_out"] == []
    page = open_page(written["report"], width=390)
    rows = [
        row.locator("th, td").all_inner_texts() for row in page.locator("#columns .columns-of-table tbody tr").all()
    ]
    assert [row[:3] for row in rows] == [
        ["id", "id", ""],
        ["x", "number", ""],
        ["city", "category", ""],
        ["day", "date", ""],
        [HOSTILE, "number", rows[4][2]],
        ["kind", "target, classes", ""],
    ]
    assert 10 < int(rows[4][2]) <= 18  # of the 120 rows, 18 have a gap, and a fifth is for the test
    assert page.locator("main script:not([type]), main td b").count() == 0
    bars = page.evaluate("document.getElementById('importance').data[0]")
    assert len(bars["x"]) == 4
    assert bars["x"] == sorted(bars["x"])  # from the lowest to the highest bar
    found = page.evaluate("document.getElementById('reliability').data[0]")
    assert sum(samples for samples, _ in found["customdata"]) == 24
    right = sum(n * share for share, (n, _) in zip(found["y"], found["customdata"], strict=True)) / 24
    assert right == pytest.approx(read_json(classes.path / "summary.json")["test_accuracy"])
    assert "Of the 24 test samples" in page.locator("#calibration").inner_text()
    assert "images" not in page.locator("#test").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_numbers(numbers, open_page):
    written = run_report.write(numbers)
    assert {path.name for path in written["pictures"]} == {"curves.png", "importance.png", "residuals.png"}
    page = open_page(written["report"])
    summary = read_json(numbers.path / "summary.json")
    text = page.locator("#test").inner_text()
    assert all(f"{summary[key]:.4g}" in text for key in ("test_r2", "test_mae", "test_rmse"))
    cloud = page.evaluate("document.getElementById('truth').data[0]")
    errors = np.subtract(cloud["y"], cloud["x"])
    assert np.abs(errors).mean() == pytest.approx(summary["test_mae"], rel=1e-4)  # in the units of the column
    said = page.evaluate("document.getElementById('errors').data[0]")
    np.testing.assert_allclose(said["y"], errors)
    bars = page.evaluate("document.getElementById('importance').data[0]")
    assert bars["customdata"][-1] == "x"  # what the numbers were made of
    assert page.locator("#r2 .main-svg").count() > 0
    assert page.locator("#calibration").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("which", ["classes", "numbers"])
def test_accessible_light_and_dark_and_narrow(which, open_page, request):
    path = run_report.write(request.getfixturevalue(which))["report"]
    page = open_page(path, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for _ in ("light", "dark"):
        found = Axe().run(page).response
        assert [v["help"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
        page.locator("#theme").click()


def said(run):
    html = run_report.write(run)["report"].read_text()
    return " ".join(re.sub("<[^>]*>", "", re.search("<main.*</main>", html, re.DOTALL)[0]).split())


def test_before_the_test_it_is_of_validation_samples(tmp_path):
    run = trained(table().drop(columns="size"), "kind", tmp_path, evaluated=False)
    assert "Of the 10 validation samples" in said(run)
    assert "muslin evaluate" in said(run)


def test_without_validation_samples(tmp_path):
    run = trained(table().drop(columns="size"), "kind", tmp_path, evaluated=False, validation=0)
    text = said(run)
    assert "measured on validation samples, and there are none" in text
    assert "Of the" not in text


def test_of_a_table_that_is_gone_the_columns_are_known(classes, tmp_path):
    copy = Run(shutil.copytree(classes.path, tmp_path / "copy"))
    (classes.path.parent / "t.csv").rename(classes.path.parent / "hidden.csv")
    try:
        text = said(copy)
    finally:
        (classes.path.parent / "hidden.csv").rename(classes.path.parent / "t.csv")
    assert "target, classes" in text
    assert "It is not measured." in text


def test_while_it_trains_nothing_is_measured(classes, tmp_path, monkeypatch):
    copy = Run(shutil.copytree(classes.path, tmp_path / "copy"))
    for name in ("summary.json", "model.safetensors"):
        (copy.path / name).unlink()
    monkeypatch.setattr(run_report.tabular, "importance", lambda *_: pytest.fail("measured"))
    assert "The run has not finished training." in WatchedRun(copy).page("1")


def test_numbers_of_an_array(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 4)).astype(np.float32)
    Y = (X @ rng.standard_normal((4, 2))).astype(np.float32)
    np.savez(tmp_path / "a.npz", X=X, y=Y, X_test=X, y_test=Y)
    settings = Settings.read(LITTLE, {"dataset": str(tmp_path / "a.npz")})
    data = datasets.load(tmp_path / "a.npz")
    run = runs.create(settings, data, tmp_path, "a")
    runs.train(run, data)
    runs.evaluate_test(run, data)
    found = run_report.Facts(run).residuals
    assert [output["name"] for output in found["outputs"]] == ["output 1", "output 2"]
    errors = run.model.predict(X) - Y
    np.testing.assert_allclose([o["quantiles"][2 + 1] for o in found["outputs"]], np.median(errors, axis=0), atol=1e-6)
    assert "columns" not in run_report.contents(run_report.Facts(run))["parts"]
    assert run.path / "residuals.png" in run_report.write(run)["pictures"]
