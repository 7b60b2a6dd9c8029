"""`muslin report RUN`: the page in a browser, and what it says where a run lacks something."""

import base64
import io
import json
import re
import shlex
import shutil
import sys
from html import unescape

import numpy as np
import pytest
import typer
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from toys import CLASSES, bars
from typer.testing import CliRunner

from muslin import datasets, runs
from muslin.cli import main
from muslin.cli.options import with_settings
from muslin.files import read_json, read_json_lines, write_json, write_json_lines
from muslin.network import FeedForwardNeuralNetwork
from muslin.report import pages, run_report
from muslin.report.pages.drawing import EDGES, MOST, drawing
from muslin.runs import Run
from muslin.runs.settings import Settings

HOSTILE = "<script>alert(1)</script>"
LITTLE = {"hidden_size": "16,12", "activation": "relu", "epochs": 2, "batch_size": 64, "diagnostics": True}


def trained(data, folder, name="little", **settings):
    """A run with much to learn still: it takes many test images for another class."""
    settings = Settings.read(LITTLE, {"dataset": str(data), "engine": "numpy", **settings})
    loaded = datasets.load(data)
    run = runs.create(settings, loaded, folder, name)
    runs.train(run, loaded)
    return run


@pytest.fixture(scope="module")
def run(toy, tmp_path_factory):
    run = trained(toy, tmp_path_factory.mktemp("reports"))
    runs.evaluate_test(run, run.dataset())
    run_report.write(run)
    return run


@pytest.fixture
def edited(run, tmp_path):
    """A copy of the run, to take things away from."""
    return Run(shutil.copytree(run.path, tmp_path / "edited"))


@pytest.fixture(scope="module")
def truth(run):
    """(images, true, predicted, probabilities) of the test set, without the report's help."""
    (X, y), network = bars(30, 1), FeedForwardNeuralNetwork.load(run.path / "model.safetensors")
    probabilities = network.predict_proba(X.reshape(30, -1))
    return X, y, probabilities.argmax(axis=1), probabilities


@pytest.fixture(scope="module")
def opened(run, chromium):
    """The page, opened once for all tests that only look at it or choose cells."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"file://{run.path / 'report.html'}")
    yield page
    context.close()


def test_figures(opened, run):
    summary = read_json(run.path / "summary.json")
    tiles = opened.locator(".tiles").inner_text()
    assert opened.locator("h1").inner_text() == "little"
    for key in ("test_accuracy", "val_accuracy", "accuracy"):
        assert f"{100 * summary[key]:.2f}%" in tiles
    cells = opened.locator(".matrix tbody tr").all()
    assert [[int(n) for n in row.locator("td").all_inner_texts()] for row in cells] == summary["confusion_matrix"]
    rows = [row.locator("th, td").all_inner_texts() for row in opened.locator(".scores tbody tr").all()]
    scores = [[f"{row[key]:.4f}" for key in ("precision", "recall", "f1")] for row in summary["per_class"]]
    assert rows == [[name, *score, "10"] for name, score in zip(CLASSES, scores, strict=True)]


def test_layers(opened):
    rows = [row.locator("th, td").all_inner_texts() for row in opened.locator("#network tbody tr").all()]
    assert rows == [
        ["input", "64", "", ""],
        ["hidden 1, relu", "16", "16 × 64", "1,040"],
        ["hidden 2, relu", "12", "12 × 16", "204"],
        ["output, softmax", "3", "3 × 12", "39"],
    ]
    assert opened.locator(".drawing text").all_text_contents() == ["64", "16", "12", "3"]
    assert opened.locator("#network .unit").count() == 16


def test_curves(opened, run):
    history = read_json_lines(run.path / "history.jsonl")

    def lines(id):
        return dict(opened.evaluate(f"document.getElementById('{id}').data.map(line => [line.name, line.y])"))

    def column(key, layer=None):
        return [row[key] if layer is None else row[key][layer] for row in history]

    for key in ("loss", "accuracy"):
        assert lines(key) == {"training": column(key), "validation": column(f"val_{key}")}
    assert opened.locator("#learning_rate").count() == 0  # it is the same in all epochs
    assert lines("gradient_norms") == {f"layer {k + 1}": column("gradient_norms", k) for k in range(3)}
    assert lines("dead_units") == {f"layer {k + 1}": column("dead_units", k) for k in range(2)}
    assert opened.locator(".chart .main-svg").count() >= 4
    table = opened.locator("#training table")
    assert table.locator("tbody tr").count() == 2
    assert table.locator("tr").nth(1).locator("td").first.text_content() == f"{history[0]['loss']:.4f}"


def test_a_click_on_a_cell_shows_its_images(opened, run, truth):
    X, y, predicted, probabilities = truth
    sheet = sprite(run.path / "report.html")
    for t in range(3):
        for p in range(3):
            opened.locator(f"[data-true='{t}'][data-predicted='{p}']").click()
            rows = np.flatnonzero((y == t) & (predicted == p))
            rows = rows[np.argsort(-probabilities[rows, p])]
            what = f"{CLASSES[t]}, right" if t == p else f"{CLASSES[t]} taken for {CLASSES[p]}"
            assert opened.locator("#cell h3").inner_text() == f"{what}: {len(rows)}"
            items = opened.locator("#cell li").all()
            assert len(items) == len(rows)
            for row, item in zip(rows, items, strict=True):
                picture = item.locator(".sample")
                assert picture.get_attribute("aria-label") == f"test image {row}"
                assert float(item.locator("b").inner_text()[:-1]) == pytest.approx(
                    100 * probabilities[row, p], abs=0.006
                )
                np.testing.assert_array_equal(shown(picture, sheet), X[row])


def sprite(path):
    """The sheet of the test images, as it is in the page."""
    data = re.search(r"\.sample \{[^}]*base64,([^)]*)\)", path.read_text())[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def shown(picture, sheet):
    """The pixels of the sheet that the browser shows there."""
    css = "e => { const s = getComputedStyle(e); return [s.backgroundPosition, s.backgroundSize, s.width, s.height] }"
    lengths = [float(n) for text in picture.evaluate(css) for n in re.findall(r"-?[\d.]+(?=px)", text)]
    x, y, across, width, height = lengths
    zoom = across / sheet.shape[1]
    left, top, right, bottom = (round(n / zoom) for n in (-x, -y, width - x, height - y))
    return sheet[top:bottom, left:right]


def test_only_the_most_confident_images_of_a_cell_are_kept(run, truth, monkeypatch):
    _, y, predicted, probabilities = truth
    monkeypatch.setattr(run_report, "CELL", 2)
    cells = run_report.contents(run_report.Facts(run))["tests"]["cells"]
    for cell, samples in cells.items():
        t, p = map(int, cell.split(","))
        rows = np.flatnonzero((y == t) & (predicted == p))
        assert [it["row"] for it in samples] == rows[np.argsort(-probabilities[rows, p])][:2].tolist()


def test_the_keyboard_goes_from_cell_to_cell(opened):
    stops = opened.locator(".matrix button[tabindex='0']")
    at = "[document.activeElement.dataset.true, document.activeElement.dataset.predicted].join()"
    opened.locator("[data-true='0'][data-predicted='0']").click()
    for key, expected in [
        ("ArrowRight", "0,1"),
        ("ArrowDown", "1,1"),
        ("End", "1,2"),
        ("ArrowRight", "1,2"),
        ("ArrowDown", "2,2"),
        ("ArrowDown", "2,2"),
        ("Home", "2,0"),
        ("ArrowLeft", "2,0"),
        ("ArrowUp", "1,0"),
    ]:
        opened.keyboard.press(key)
        assert opened.evaluate(at) == expected
        assert stops.count() == 1
    assert opened.locator("#cell h3").inner_text().startswith("left, right")
    opened.keyboard.press("Enter")
    assert opened.locator("#cell h3").inner_text().startswith("middle taken for left")


def test_at_first_the_most_frequent_confusion_is_shown(opened, truth):
    _, y, predicted, _ = truth
    counts = {(t, p): ((y == t) & (predicted == p)).sum() for t in range(3) for p in range(3) if t != p}
    (t, p), n = max(counts.items(), key=lambda pair: pair[1])
    opened.reload()
    assert opened.locator("#cell h3").inner_text() == f"{CLASSES[t]} taken for {CLASSES[p]}: {n}"


def test_the_most_confident_mistakes(opened, truth):
    _, y, predicted, probabilities = truth
    wrong = np.flatnonzero(predicted != y)
    wrong = wrong[np.argsort(-probabilities[wrong].max(axis=1))]
    assert len(wrong) > 4
    pictures = opened.locator("#mistakes .sample").all()
    assert [p.get_attribute("aria-label") for p in pictures] == [f"test image {row}" for row in wrong[:24]]


def test_settings(opened):
    changed = {row.locator("th").inner_text() for row in opened.locator(".changed tbody tr").all()}
    assert changed == {"dataset", "hidden_size", "hidden_layers", "activation", "epochs", "batch_size"} | {
        "diagnostics",
        "engine",
    }
    others = opened.locator("#settings details tbody tr")
    assert others.count() + len(changed) == len(Settings.model_fields)


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_theme(run, open_page, dark):
    page = open_page(run.path / "report.html", dark=dark)
    button = page.locator("#theme")

    def look():
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        chart = page.evaluate("document.getElementById('loss').layout.template.layout.font.color")
        return sum(map(int, re.findall(r"\d+", background))) < 300, sum(map(int, re.findall(r"\d+", chart))) > 450

    assert look() == (dark, dark)
    button.focus()
    page.keyboard.press("Enter")
    assert look() == (not dark, not dark)
    assert button.get_attribute("aria-pressed") == str(not dark).lower()
    page.reload()
    assert look() == (not dark, not dark)
    page.emulate_media(media="print")
    assert look()[0] is False


@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.slow)])
def test_accessible_and_never_wider_than_the_screen(run, open_page, width):
    page = open_page(run.path / "report.html", width=width)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"  # by the skip link
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for _ in ("light", "dark"):
        found = Axe().run(page).response
        assert len(found["passes"]) > 20
        assert [v["help"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
        page.locator("#theme").click()


def test_names_are_shown_as_text(tmp_path, open_page):
    names = [HOSTILE, '"><img src=x onerror=alert(2)>', "</script> \u2028 & " + "w" * 200]
    (X, y), (X_test, y_test) = bars(120, 0), bars(30, 1)
    np.savez(tmp_path / "<b>.npz", X=X, y=y, X_test=X_test, y_test=y_test, class_names=np.array(names))
    run = trained(tmp_path / "<b>.npz", tmp_path, name=HOSTILE)
    runs.evaluate_test(run, run.dataset())
    config = read_json(run.path / "config.json")
    config |= {"monitor": "</td><script>alert(3)</script>", "versions": {HOSTILE: HOSTILE}, "machine": {"blas": None}}
    write_json(run.path / "config.json", config)
    run_report.write(run)
    page = open_page(run.path / "report.html", width=390)
    assert page.title() == f"{HOSTILE} · muslin"
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img, main script:not([type]), b script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("[data-true='1'][data-predicted='0']").click()
    assert page.locator("#cell h3").inner_text().startswith(f"{names[1]} taken for {names[0]}")
    values = page.locator(".changed td:nth-of-type(1)").all_inner_texts()
    assert "</td><script>alert(3)</script>" in values
    assert str(tmp_path / "<b>.npz") in values


def test_size(run):
    assert (run.path / "report.html").stat().st_size < 6e6


# What a run lacks


TESTED = ("test_accuracy", "test_loss", "confusion_matrix", "per_class", "macro")


def no_test(path):
    summary = read_json(path / "summary.json")
    kept = {k: v for k, v in summary.items() if k not in TESTED}
    write_json(path / "summary.json", kept)


def unfinished(path):
    (path / "summary.json").unlink()
    (path / "model.safetensors").unlink()


def not_begun(path):
    unfinished(path)
    (path / "history.jsonl").unlink()
    (path / "checkpoint.safetensors").unlink()


def data_gone(path):
    change(path / "config.json", dataset="/nowhere/gone.npz")


def data_changed(path):
    change(path / "config.json", data_checksums={})


def model_damaged(path):
    (path / "model.safetensors").write_bytes(b"nothing")


def checkpoint_damaged(path):
    unfinished(path)
    (path / "checkpoint.safetensors").write_bytes(b"nothing")


def odd_config(path):
    change(path / "config.json", optimizer=HOSTILE, learning_rate="fast", hidden_layers=None, epochs=[1])


def no_figures(path):
    rows = read_json_lines(path / "history.jsonl")
    write_json_lines(path / "history.jsonl", [*rows[:-1], rows[-1] | {"val_loss": None, "loss": None}])
    unfinished(path)


def change(path, **changes):
    write_json(path, read_json(path) | changes)


#: what is done to a finished run → (what the page says, parts that it has, parts that it has not)
LACKING = {
    no_test: ("to do that: muslin evaluate", "unit loss", "cell mistakes matrix"),
    unfinished: ("2 epochs done; to go on with the run: muslin train --resume", "loss unit drawing", "matrix"),
    not_begun: ("There is no curve yet", "settings", "loss drawing unit matrix"),
    data_gone: ("gone.npz", "matrix scores drawing loss", "cell mistakes unit"),
    data_changed: ("is not the one that", "matrix scores drawing", "cell mistakes unit"),
    model_damaged: ("it is damaged", "loss matrix", "drawing unit cell"),
    checkpoint_damaged: ("it is damaged", "loss", "drawing unit cell"),
    odd_config: ("Unknown optimizer", "loss matrix", "unit cell"),
    no_figures: ("loss –", "loss", "matrix"),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_what_is_missing_is_left_out_with_a_sentence(lacking, edited):
    lacking(edited.path)
    written = run_report.write(edited)
    sentence, there, absent = LACKING[lacking]
    main = re.search("<main.*</main>", written["report"].read_text(), re.DOTALL)[0]
    assert sentence in " ".join(unescape(re.sub("<[^>]*>", "", main)).split())
    assert [part for part in there.split() if not has(main, part)] == []
    assert [part for part in absent.split() if has(main, part)] == []
    assert all(path.is_file() for path in written["pictures"])
    assert " ".join(written["left_out"])


def has(html, part):
    """Whether there is an element of that id or class."""
    return re.search(rf'<[^>]*(id|class)="{part}( [^"]*)?"', html) is not None


@pytest.mark.slow
def test_a_run_that_goes_on_has_a_page(edited, open_page):
    not_begun(edited.path)
    page = open_page(run_report.write(edited)["report"])
    assert "0 epochs done" in page.locator(".notice").inner_text()


@pytest.mark.slow
def test_samples_that_are_no_images(tmp_path, open_page):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 7)).astype(np.float32), np.arange(90) % 3
    np.savez(tmp_path / "rows.npz", X=X, y=y, X_test=X, y_test=y)
    run = trained(tmp_path / "rows.npz", tmp_path, hidden_size=4, hidden_layers=0)
    runs.evaluate_test(run, run.dataset())
    written = run_report.write(run)
    page = open_page(written["report"])
    assert "The samples are not images." in page.locator("#test").inner_text()
    assert page.locator(".matrix td").count() == 9
    assert page.locator(".unit, .sample, .matrix button").count() == 0
    assert {path.name for path in written["pictures"]} == {"curves.png", "diagnostics.png", "calibration.png"}


def test_a_matrix_without_room_is_left_out(run, monkeypatch):
    monkeypatch.setattr(run_report.plots, "LEGIBLE", 2)
    html = pages.page("run.html", **run_report.contents(run_report.Facts(run)))
    assert not has(html, "matrix")
    assert has(html, "mistakes")


# How to reproduce it

ODD = [
    {},
    {"hidden_size": [256, 128], "activation": "relu"},
    {"hidden_layers": 0, "stratify": True, "diagnostics": True},
    {"initializer_scale": -1.5, "learning_rate": 1e-07, "weight_decay": 0.1 + 0.2, "clip_norm": 5.0, "beta1": 0.0},
    {"dataset": "my data's/$HOME `x`;.npz", "data_dir": "--odd -name", "validation": 17, "threads": 2},
    {
        "patience": 3,
        "monitor": "val_accuracy",
        "schedule": "one_cycle",
        "warmup": 1.0,
        "validation": 0.0,
        "seed": 2**40,
    },
]


@pytest.mark.parametrize("settings", ODD)
def test_the_command_line_has_the_settings(settings):
    settings = Settings.read(settings)
    read = []
    app = typer.Typer(add_completion=False)
    app.command()(with_settings(lambda flags: read.append(Settings.read({}, flags))))
    words = shlex.split(run_report.command_line(settings.model_dump()))
    assert words[:2] == ["muslin", "train"]
    CliRunner().invoke(app, words[2:], catch_exceptions=False)
    assert read == [settings]


def test_the_command_line_makes_the_same_network(run, opened, tmp_path, monkeypatch, capsys):
    words = shlex.split(opened.locator("#reproduce pre").inner_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        main([*words[1:], "--json"])
    assert exit.value.code == 0
    again = tmp_path / json.loads(capsys.readouterr().out)["run"]
    assert (again / "model.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()


# The command


def typed(*words):
    with pytest.raises(SystemExit) as exit:
        main(["report", *map(str, words)])
    return exit.value.code


def test_command(edited, capsys):
    (edited.path / "report.html").unlink()
    assert typed(edited.path) == 0
    assert f"report     {edited.path / 'report.html'} (" in capsys.readouterr().out
    assert "<h1>" in (edited.path / "report.html").read_text()


def test_command_json(edited, tmp_path, capsys):
    no_test(edited.path)
    (edited.path / "report.html").unlink()
    output = tmp_path / "new" / "a.html"
    assert typed(edited.path, "--json", "--output", output) == 0
    out, _ = capsys.readouterr()
    result = json.loads(out)
    assert result["report"] == str(output)
    assert result["bytes"] == output.stat().st_size
    names = ("curves", "diagnostics", "weights", "calibration")
    assert result["pictures"] == [str(edited.path / f"{name}.png") for name in names]
    assert len(result["left_out"]) == 1
    assert not (edited.path / "report.html").exists()


@pytest.mark.parametrize("name", ["nothing", "."])
def test_no_run(name, tmp_path, capsys):
    assert typed(tmp_path / name) == 2
    assert "muslin: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["jinja2", "plotly.graph_objects", "plotly.offline"])
def test_a_missing_package_is_named(package, edited, monkeypatch, capsys):
    (edited.path / "report.html").unlink()
    pages._templates.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    assert typed(edited.path) == 2
    assert "pip install 'muslin[report]'" in capsys.readouterr().err
    assert not (edited.path / "report.html").exists()


# The drawing


def test_drawing():
    network = FeedForwardNeuralNetwork([2, 3, 20], engine="numpy")
    network.weights[1][...] = [[4, -2], [0, 1], [-8, 3]]
    drawn = drawing(network)
    left, middle, right = drawn["layers"]
    assert [len(layer["units"]) for layer in drawn["layers"]] == [2, 3, MOST - 1]
    assert [bool(layer["dots"]) for layer in drawn["layers"]] == [False, False, True]
    assert left["x"] < middle["x"] < right["x"] < drawn["width"]
    assert max(y for layer in drawn["layers"] for y in layer["units"]) < drawn["height"]
    edges = {
        (left["units"].index(e["y1"]), middle["units"].index(e["y2"])): (e["sign"], e["strength"])
        for e in drawn["edges"]
        if e["x1"] == left["x"]
    }
    assert edges[0, 2] == ("negative", 1.0)
    assert edges[0, 0] == ("positive", 0.5)
    assert edges[1, 1] == ("positive", 0.12)
    assert len([e for e in drawn["edges"] if e["x2"] == right["x"]]) == min(EDGES, 3 * (MOST - 1))


def test_a_network_of_zeros_is_drawn():
    edges = drawing(FeedForwardNeuralNetwork([2, 2], initializer="zeros", engine="numpy"))["edges"]
    assert {e["strength"] for e in edges} == {0.0}
