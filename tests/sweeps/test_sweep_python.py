"""muslin.sweep: sweeps from Python."""

import errno
import sys
from types import SimpleNamespace

import pytest

import muslin
from muslin import InputError
from muslin.sweeps import directory, notebook
from muslin.sweeps.file import schema
from muslin.sweeps.trial_store import Trial
from muslin.sweeps.watched import WatchedSweep

FILE = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"x": {"values": [0, 1, 2, 3]}, "name": {"value": "<b>"}},
}


def parabola(config):
    return (config["x"] - 2) ** 2


def test_a_function_is_searched(tmp_path):
    study = muslin.sweep(FILE, parabola, runs_dir=tmp_path)
    assert study.best.config["x"] == 2
    assert [trial.value for trial in study.trials] == [4, 1, 0, 1]
    assert study.path == tmp_path / "sweep"
    assert "&lt;b&gt;" in study._repr_html_()
    assert "<b>" not in study._repr_html_()
    assert (study.path / study.trials[0].run / "summary.json").exists()


def test_the_same_call_goes_on(tmp_path):
    called = []

    def noted(config):
        called.append(config["x"])
        return parabola(config)

    assert len(muslin.sweep(FILE, noted, count=2, runs_dir=tmp_path).trials) == 2
    assert len(muslin.sweep(FILE, noted, runs_dir=tmp_path).trials) == 4
    assert called == [0, 1, 2, 3]


def test_a_frame(tmp_path):
    pytest.importorskip("pandas")
    frame = muslin.sweep(FILE, lambda config: {"loss": 1 / (1 + config["x"])}, runs_dir=tmp_path).frame()
    assert frame.sort_values("loss").iloc[0]["x"] == 3
    assert list(frame.columns)[:3] == ["trial", "state", "loss"]
    assert {*frame.columns[3:]} == {"x", "name"}


def test_a_generator_is_stopped_early(tmp_path):
    closed = []

    def slow(config):
        try:
            for _ in range(9):
                yield {"loss": config["x"]}
        finally:
            closed.append(config["x"])

    early = {"type": "hyperband", "min_iter": 2, "eta": 2, "strict": True}
    study = muslin.sweep(FILE | {"early_terminate": early}, slow, runs_dir=tmp_path)
    assert {trial.state for trial in study.trials} == {"finished", "stopped_early"}
    assert len(study.trials[3].history) < 9
    assert closed == [0, 1, 2, 3]


@pytest.mark.parametrize("yields", [True, False])
def test_a_sweep_that_is_broken_off_closes_what_it_has_called(yields, tmp_path):
    closed = []

    def epochs(config):
        try:
            while True:
                yield 1.0
        finally:
            closed.append(config["x"])

    def interrupt(scheduler):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        muslin.sweep(FILE, epochs if yields else parabola, runs_dir=tmp_path, show=interrupt)
    assert closed == [0] * yields
    study = muslin.sweep(FILE, parabola, name="sweep", runs_dir=tmp_path / "again")
    assert len(study.trials) == 4


def test_each_configuration_is_called_as_often_as_it_is_repeated(tmp_path):
    called = []

    def noted(config):
        called.append(config["x"])
        return parabola(config)

    study = muslin.sweep(FILE, noted, repeats=2, runs_dir=tmp_path)
    assert called == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(study.trials) == 8
    seeds = FILE | {"parameters": {"seed": {"values": [1, 2]}}}
    with pytest.raises(InputError, match="takes other seeds, but the file has values for seed"):
        muslin.sweep(seeds, noted, name="seeds", repeats=2, runs_dir=tmp_path)


def test_what_is_doubtful_is_said(tmp_path, capsys):
    muslin.sweep(FILE | {"colour": "red"}, parabola, runs_dir=tmp_path)
    assert "the sweep: " in (said := capsys.readouterr().err)
    assert "colour" in said


def test_a_page_of_it(tmp_path):
    study = muslin.sweep(FILE, parabola, runs_dir=tmp_path)
    assert study.report(tmp_path / "page.html") == tmp_path / "page.html"
    first = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "loss" in first
    analysed = (study.path / "analysis.json").stat().st_mtime_ns
    assert study.report(tmp_path / "page.html").read_text(encoding="utf-8") == first
    assert (study.path / "analysis.json").stat().st_mtime_ns == analysed  # not once more
    nothing_searched = FILE | {"parameters": {"x": {"value": 1}}}
    study = muslin.sweep(nothing_searched, parabola, name="one", runs_dir=tmp_path)
    assert "loss" in study.report().read_text(encoding="utf-8")


def test_its_table_has_the_lowest_first(tmp_path, muslin_json):
    study = muslin.sweep(FILE, parabola, runs_dir=tmp_path)
    rows = muslin_json("compare", study.path, "--sort", "value")["runs"]
    assert [row["value"] for row in rows] == [0, 1, 1, 4]


def test_a_frame_needs_pandas(tmp_path, monkeypatch):
    study = muslin.sweep(FILE, parabola, runs_dir=tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install 'muslin\[tables\]'"):
        study.frame()


def test_what_a_terminal_is_told_of_it(tmp_path):
    def picky(config):
        return 1 / (config["x"] - 3) if config["x"] else 0.5

    watched = WatchedSweep(muslin.sweep(FILE, picky, runs_dir=tmp_path).path)
    assert watched.lines() == [
        "trial   0  finished  loss 0.5",
        "trial   1  finished  loss -0.5",
        "trial   2  finished  loss -1",
        "trial   3  failed  (ZeroDivisionError: division by zero)",
    ]
    assert watched.status() == "3 finished, 1 failed, best loss -1 (trial 2)"
    (chart,) = watched.charts(60, 12)
    assert "loss" in chart
    where, _ = directory.begin(schema.parse(FILE | {"program": "p.py"}), "none", tmp_path)
    assert (WatchedSweep(where.path).lines(), WatchedSweep(where.path).charts(60, 12)) == ([], [])


def test_the_bar_of_a_notebook(monkeypatch):
    """It is drawn twice a second at most, and at the end."""
    drawn = []
    place = SimpleNamespace(update=drawn.append)
    ipython = SimpleNamespace(HTML=str, display=lambda html, display_id: place)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    bar, metric = notebook.Bar(), schema.Metric("<b>", "minimize")
    best = Trial(4, {}, "r", state="finished", value=0.25)
    for done in (0, 0, 1, 2, 3):
        bar(SimpleNamespace(done=done, limit=3, best=best if done else None, metric=metric))
    assert drawn == [
        '<progress value="0" max="3"></progress> 0 of 3 trials',
        '<progress value="3" max="3"></progress> 3 of 3 trials, best &lt;b&gt; 0.25 (trial 4)',
    ]
    endless = SimpleNamespace(done=7, limit=float("inf"), best=None, metric=metric)
    assert notebook.picture(endless) == "7 trials"


def test_a_function_that_fails_is_a_failed_trial(tmp_path):
    def picky(config):
        return 1 / (config["x"] - 3) if config["x"] else 0.0

    study = muslin.sweep(FILE, picky, runs_dir=tmp_path)
    assert [trial.state for trial in study.trials] == ["finished", "finished", "finished", "failed"]
    assert study.trials[3].reason == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        (FILE | {"program": "a.py"}, {}, "give one of them"),
        ({"method": "grid", "parameters": {"x": {"value": 1}}}, {}, "needs its metric"),
        (FILE | {"method": "random"}, {}, "would never end"),
        (FILE, {"workers": 2}, "workers must be 1"),
        (FILE, {"count": 0}, "count is 0"),
        (FILE, {"trial_timeout": 3.0}, "cannot be ended"),
        (FILE, {"sampler": "best"}, "sampler"),
        (FILE, {"tracker": "wandb"}, "must be none"),
    ],
)
def test_what_cannot_be(file, options, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        muslin.sweep(file, parabola, runs_dir=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_function_that_gives_no_number(tmp_path):
    with pytest.raises(InputError, match="The function gave loss as str"):
        muslin.sweep(FILE, lambda config: "good", runs_dir=tmp_path)


def test_our_own_network(tmp_path):
    values = {"dataset": "digits", "epochs": 1, "engine": "numpy"}
    parameters = {key: {"value": value} for key, value in values.items()} | {"hidden_size": {"values": [16]}}
    study = muslin.sweep({"method": "grid", "parameters": parameters}, runs_dir=tmp_path, workers=1)
    assert study.best.value > 0
    with pytest.raises(InputError, match="hiddn"):
        muslin.sweep({"method": "grid", "parameters": {"hiddn_size": {"values": [16]}}}, runs_dir=tmp_path)


@pytest.mark.slow
def test_a_notebook_shows_how_far_it_is(tmp_path):
    """In a kernel: a bar that moves, no warning. Elsewhere nothing is said."""
    import nbformat
    from nbclient import NotebookClient

    program = """import muslin
metric = {"name": "loss", "goal": "minimize"}
file = {"method": "grid", "metric": metric, "parameters": {"x": {"values": [1, 2, 3]}}}
muslin.sweep(file, lambda config: config["x"], name="shown")"""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(program)])
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=120, resources=where, extra_arguments=["--log-level=ERROR"]).execute()
    bar, table = book.cells[0].outputs
    assert bar.data["text/html"] == '<progress value="3" max="3"></progress> 3 of 3 trials, best loss 1 (trial 0)'
    assert table.output_type == "execute_result"


def test_a_disk_that_fails_ends_the_sweep_and_fails_no_trial(tmp_path, monkeypatch):
    """It is the disk's fault, and no trial's: the same call goes on with it."""
    from muslin.sweeps import functions

    def broken(*_):
        raise InputError("Cannot write it: Input/output error.") from OSError(errno.EIO, "Input/output error")

    file = {"method": "random", "metric": {"name": "loss"}, "parameters": {"x": {"min": 0.0, "max": 1.0}}}
    with monkeypatch.context() as patch:
        patch.setattr(functions, "write_json_lines", broken)
        with pytest.raises(InputError, match="Input/output error"):
            muslin.sweep(file, lambda config: config["x"], count=2, name="s", runs_dir=tmp_path)
    again = muslin.sweep(file, lambda config: config["x"], count=2, name="s", runs_dir=tmp_path)
    assert [(trial.number, trial.state) for trial in again.trials] == [(0, "finished"), (1, "finished")]
