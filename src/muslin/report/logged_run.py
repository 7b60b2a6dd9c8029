"""The page of a run that any program has logged: curves of all its metrics, media, tables, settings, console.

Such a run directory is of `muslin serve` and `muslin offline`, or of a sweep of programs:

config.json    {"name", "config": {…}, and "wandb": what else W&B's client told}
history.jsonl  one object a logged step            events.jsonl   figures of the machine
log.txt        the console                         summary.json   at the end
files/         what was uploaded: media, tables, saved files
"""

import json
from array import array
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from muslin import digests
from muslin.documents import flat, is_number
from muslin.errors import InputError
from muslin.files import read_json, read_json_lines
from muslin.report import terminal
from muslin.report.live import duration
from muslin.report.pages import charts, page, render

#: points of a curve that are drawn; curves, and pictures of one key, that a page has
POINTS, CURVES, PICTURES = 1000, 60, 24
#: rows of a table, lines of the console, files that a page shows
ROWS, LINES, FILES = 100, 300, 200
#: bins of a histogram that can be meant; W&B's client takes 512 at most
BINS = 10_000
#: what W&B's client adds to each row of a history
OWN = ("_step", "_timestamp", "_runtime", "_wandb")
#: the kind of a logged medium → how it is shown
MEDIA = {
    "image-file": "image", "images": "image", "images/separated": "image", "audio-file": "audio", "audio": "audio",
    "video-file": "video", "videos": "video", "html-file": "page", "html": "page",
}  # fmt: skip
TABLES = ("table-file", "partitioned-table", "joined-table")


def is_logged(path: Path) -> bool:
    """Whether the directory is of such a run, and not of one that muslin trained."""
    try:
        config = read_json(Path(path) / "config.json")
    except InputError:
        return False
    return isinstance(config, dict) and isinstance(config.get("config"), dict) and "data_checksums" not in config


def write(path: Path, output: Path | None = None) -> dict[str, Any]:
    """Write the page (to report.html in the directory, or to ``output``). Returns what run_report.write does."""
    output = Path(output or path / "report.html")
    facts = LoggedRun(path)
    render("logged.html", output, **contents(facts, _relative(path, output.parent)))
    return {"report": output, "pictures": [], "left_out": facts.left_out}


def _relative(path, folder):
    import os

    return f"{os.path.relpath(path / 'files', folder)}/"


#: what comes of a value that is not what W&B's client writes there
ODD = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)


def _object(path):
    """The JSON object in a file. Raises InputError where it is something else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it must hold a JSON object.")
    return value


class LoggedRun:
    """What the directory tells by now. It reads on from where it stopped: to ask again costs what is new."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self.log, self.machine = LogReader(path / "history.jsonl"), LogReader(path / "events.jsonl")
        self.left_out: list[str] = []

    @property
    def config(self) -> dict[str, Any]:
        return _object(self.path / "config.json")

    @property
    def finished(self) -> bool:
        return (self.path / "summary.json").exists()

    @property
    def summary(self) -> dict[str, Any]:
        """That of the end; before, the last value of each metric."""
        if self.finished:
            return flat(_object(self.path / "summary.json"))
        return {key: values[-1] for key, (_, values) in self.log.update().numbers.items()}

    @property
    def over(self) -> bool:
        return self.finished

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rows, of each what is a number."""
        file = self.path / "history.jsonl"
        rows = read_json_lines(file) if file.exists() else []
        return [{k: v for k, v in flat(row).items() if is_number(v) and k not in OWN} for row in rows]

    def lines(self) -> list[str]:
        texts = (
            "  ".join(f"{key} {value:.6g}" for key, value in row.items() if key != "epoch") for row in self.history
        )
        return [f"epoch {number:>3}  {text}" for number, text in enumerate(texts, 1)]

    def charts(self, width: int, height: int) -> list[str]:
        return terminal.curves(self.history, width, height)

    def status(self) -> str:
        """ "finished after 12 steps" """
        if self.finished:
            summary = self.summary
            return f"{summary.get('state', 'finished')} after {_steps(self.log.update().rows)}"
        return f"{_steps(self.log.update().rows)} logged"

    def page(self, live: Any, **context: Any) -> str:
        return page("logged.html", **contents(self, context.pop("files", "files/")), live=live, **context)


def _steps(n):
    return f"{n:,} step{'s' * (n != 1)}"


class LogReader:
    """The numbers and media of a file of JSON lines.

    numbers  {key: (steps, values)}, arrays of equal length; what is no finite number is not in them
    media    {key: [(step, the logged object)]}
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._clear()

    def _begins(self):
        with open(self.path, "rb") as file:
            return file.read(64)

    def _clear(self):
        self.at, self.rows, self.begin = 0, 0, None
        self.numbers, self.media, self.texts = {}, {}, {}

    def update(self) -> Self:
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self.at or (size > self.at and self._begins() != self.begin):
            self._clear()  # it was begun anew, or its end has given it a digest
            self.begin = self._begins()
        if size > self.at:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read(size - self.at)
            whole = data.rfind(b"\n") + 1
            for line in data[:whole].splitlines():
                self._add(line)
            self.at += whole
        return self

    def _add(self, line):
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            row = {}
        row = row if isinstance(row, dict) else {}
        step = row.get("_step", row.get("epoch", self.rows))
        step = step if is_number(step) else self.rows
        self.rows += 1
        for key, value in flat(row).items():
            if key in OWN or key.startswith(("_wandb", digests.KEY)):
                continue
            if is_number(value):
                steps, values = self.numbers.setdefault(key, (array("d"), array("d")))
                steps.append(step)
                values.append(value)
            elif isinstance(value, dict) and "_type" in value:
                self.media.setdefault(key, []).append((step, value))
            elif isinstance(value, str):
                self.texts[key] = value


def contents(run: LoggedRun, files: str) -> dict[str, Any]:
    """What the template logged.html is given. ``files`` leads from the page to the run's files."""
    config = run.config
    about, settings = (part if isinstance(part := config.get(key), dict) else {} for key in ("wandb", "config"))
    log, summary = run.log.update(), run.summary
    run.left_out = []
    media, plots = _media(run, files), _plots(run, config)
    return {
        "name": str(config.get("name") or run.path.name),
        "about": _about(about, config),
        "notes": about.get("notes"),
        "tags": about["tags"] if isinstance(about.get("tags"), list) else [],
        "tiles": _tiles(run, summary, about),
        "groups": _groups(run, log),
        "machine": _machine(run),
        "media": media,
        "histograms": _histograms(run, log),
        "plots": plots,
        "tables": _tables(run, files, {plot["key"] for plot in plots}),
        "config": [(key, _text(value)) for key, value in sorted(flat(settings).items())],
        "summary": [
            (key, _text(v)) for key, v in sorted(summary.items()) if key not in OWN and v is not None and not _medium(v)
        ],
        "console": _console(run.path / "log.txt"),
        "files": _files(run.path / "files", files),
        "left_out": run.left_out,
    }


@contextmanager
def _odd(run, what):
    """What is not as W&B's client writes it is left out of the page, and that is said."""
    try:
        yield
    except ODD:
        run.left_out.append(f"{what} is not as W&B's client writes it, and is left out.")


def _medium(value):
    return isinstance(value, dict) and "_type" in value


def _text(value):
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _about(about, config):
    """[(what, text)] of where the run comes from."""
    words = {"project": "project", "sweep": "sweep", "group": "group", "job_type": "job type", "program": "program"}
    rows = [
        (title, about[key])
        for key, title in (words | {"host": "host", "revision": "revision"}).items()
        if about.get(key)
    ]
    command = config.get("command")
    return rows or ([("command", " ".join(map(str, command)))] if isinstance(command, list) else [])


def _tiles(run, summary, about):
    state = summary.get("state", "finished") if run.finished else "running"
    code = summary.get("exitcode") if run.finished else None
    tiles = [("state", state, f"exit code {code}" if code else ""), ("steps", f"{run.log.rows:,}", "logged")]
    if is_number(summary.get("seconds")):
        tiles.append(("time", duration(max(0, summary["seconds"])), ""))
    with _odd(run, "The time of its beginning"):
        if about.get("created"):
            begun = datetime.fromtimestamp(about["created"], UTC)
            tiles.append(("begun", f"{begun:%H:%M}", f"{begun:%Y-%m-%d}, UTC"))
    return tiles


def _groups(run, log):
    """{prefix: [(id, key, figure)]}, those without a prefix first, as W&B groups them."""
    keys = sorted(log.numbers, key=lambda key: ("/" in key, key))
    if len(keys) > CURVES:
        run.left_out.append(
            f"{len(keys) - CURVES} more metrics are in history.jsonl: {', '.join(keys[CURVES:][:20])} …"
        )
    groups = {}
    for number, key in enumerate(keys[:CURVES]):
        prefix = key.rpartition("/")[0]
        groups.setdefault(prefix, []).append((f"curve-{number}", key, curve(*log.numbers[key], key)))
    return groups


def curve(steps: Sequence[float], values: Sequence[float], name: str) -> dict[str, Any]:
    """One metric over the steps; of many points, the lowest and the highest of each stretch."""
    at = sampled(values, POINTS)
    few = len(values) <= 40
    trace = {
        "type": "scatter",
        "mode": "lines+markers" if few else "lines",
        "name": escape(name),
        "x": [int(steps[i]) if steps[i].is_integer() else steps[i] for i in at],
        "y": [values[i] for i in at],
        "line": {"color": charts.TRAINING, "width": 1.8},
        "cliponaxis": False,
    }
    axis = {
        "title": {"text": "step"},
        "hoverformat": "d",
        "tickformat": "~s" if len(steps) and steps[-1] >= 10_000 else "d",
    }
    margin = {"l": 8, "r": 12, "t": 8, "b": 8}
    return charts.figure(
        [trace], height=230, xaxis=axis, yaxis={"hoverformat": ".5~g"}, showlegend=False, margin=margin
    )


def sampled(values: Any, most: int) -> Sequence[int]:
    """Places in order: all of them, or the lowest and the highest of each of ``most / 2`` stretches, and both ends."""
    n = len(values)
    if n <= most:
        return range(n)
    edges = [round(i * n / (most // 2)) for i in range(most // 2 + 1)]
    places = {0, n - 1}
    for low, high in pairwise(edges):
        places |= {min(range(low, high), key=values.__getitem__), max(range(low, high), key=values.__getitem__)}
    return sorted(places)


def _machine(run):
    """[(id, key, figure)] of what was measured of the machine."""
    numbers = run.machine.update().numbers
    keys = sorted(key for key, (_, values) in numbers.items() if key.startswith("system.") and len(values) > 1)[:24]
    return [(f"machine-{n}", key.removeprefix("system."), curve(*numbers[key], key)) for n, key in enumerate(keys)]


def _media(run, files):
    """{key: [{"kind", "at" its address, "caption", "step"}]}, the latest first."""
    shown = {}
    for key, logged in sorted(run.log.media.items()):
        with _odd(run, key):
            items = [item for step, value in reversed(logged[-PICTURES:]) for item in _items(step, value, files)]
            more = sum(max(1, value.get("count", 1)) for _, value in logged) - len(items[:PICTURES])
            if items:
                shown[key] = items[:PICTURES]
            if items and more > 0:
                run.left_out.append(f"{more} earlier ones of {key} are in {run.path / 'files' / 'media'}.")
    return shown


def _items(step, value, files):
    kind = MEDIA.get(value["_type"])
    if kind is None:
        return
    paths = value.get("filenames") or ([value["path"]] if value.get("path") else [])
    captions = value.get("captions") or [value.get("caption")]
    for number, path in enumerate(paths):
        caption = captions[number] if isinstance(captions, list) and number < len(captions) else None
        yield {"kind": kind, "at": files + quote(str(path)), "caption": caption or "", "step": f"{step:g}"}


def _histograms(run, log):
    """[(id, title, figure)] of the last one of each key."""
    rows = []
    for key, logged in sorted(log.media.items()):
        step, value = logged[-1]
        if value["_type"] == "histogram":
            with _odd(run, key):
                rows.append((f"histogram-{len(rows)}", f"{key}, step {step:g}", _histogram(value)))
    return rows


def _histogram(value):
    counts, edges = value.get("values") or [], value.get("bins") or _edges(value)
    middles = [(a + b) / 2 for a, b in pairwise(edges)]
    bars = {"type": "bar", "x": middles, "y": counts, "marker": {"color": charts.TRAINING}}
    return charts.figure([bars], height=230, bargap=0, showlegend=False, margin={"l": 8, "r": 12, "t": 8, "b": 8})


def _edges(value):
    packed = value.get("packedBins") or {"min": 0, "size": 1, "count": len(value.get("values") or [])}
    if packed["count"] > BINS:
        raise ValueError("so many bins cannot be meant")
    return [packed["min"] + packed["size"] * i for i in range(packed["count"] + 1)]


def _table(run, value):
    """{"columns", "data"} of a logged table; None where its file is not there."""
    table = _logged_file(run, value)
    right = isinstance(table, dict) and isinstance(table.get("columns"), list) and isinstance(table.get("data"), list)
    return table if right else None


def _tables(run, files, drawn):
    """[{"key", "columns", "rows" of cells, "count"}]; a cell is {"text"} or {"image"}."""
    shown = []
    for key, logged in sorted(run.log.media.items()):
        step, value = logged[-1]
        ours = value["_type"] in TABLES and key.removesuffix("_table") not in drawn
        table = _table(run, value) if ours else None
        if table:
            with _odd(run, key):
                cells = [[_cell(cell, files) for cell in row] for row in table["data"][:ROWS]]
                facts = {"columns": table["columns"], "rows": cells, "count": len(table["data"])}
                shown.append({"key": f"{key}, step {step:g}"} | facts)
    return shown


def _cell(value, files):
    if isinstance(value, dict) and value.get("_type") == "image-file":
        return {"image": files + quote(str(value.get("path")))}
    return {"text": _text(value) if value is not None else ""}


def _plots(run, config):
    """W&B's own charts (`wandb.plot`): {"title", and "figure" or "matrix"} of each, from its table."""
    plots = []
    for key, chart in _asked(config):
        with _odd(run, key):
            settings = chart.get("panel_config") or chart
            fields, texts = settings.get("fieldSettings") or {}, settings.get("stringSettings") or {}
            logged = run.log.media.get(f"{key}_table") or run.log.media.get(f"{key}.table")
            table = _table(run, logged[-1][1]) if logged else None
            panel = table and _plot(str(settings.get("panelDefId", "")), table, fields)
            if panel:
                plots.append({"key": key, "title": texts.get("title") or key, "id": f"plot-{len(plots)}"} | panel)
    for key, logged in sorted(run.log.media.items()):
        with _odd(run, key):
            if figure := _figure(run, logged[-1][1]):
                title = f"{key}, step {logged[-1][0]:g}"
                plots.append({"key": key, "title": title, "id": f"plot-{len(plots)}", "figure": figure})
    return plots


def _asked(config):
    """(key, settings) of the charts that the client asks for."""
    client = config.get("client")
    client = client.get("value", client) if isinstance(client, dict) else {}
    asked = client.get("visualize") if isinstance(client, dict) else {}
    return sorted(asked.items()) if isinstance(asked, dict) else []


def _figure(run, value):
    """A figure of plotly's or matplotlib's own, as it was logged."""
    if value["_type"] != "plotly-file":
        return None
    figure = _logged_file(run, value)
    if not isinstance(figure, dict) or not isinstance(figure.get("data"), list):
        return None
    return {
        "data": figure["data"],
        "layout": {"height": 360} | (figure.get("layout") or {}) | {"autosize": True, "width": None},
    }


def _logged_file(run, value):
    """The JSON in a logged file; None where it is not there."""
    name = str(value.get("path") or "")
    if ".." in name.split("/") or name.startswith("/"):
        return None
    try:
        return json.loads((run.path / "files" / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _plot(kind, table, fields):
    columns = {name: [row[i] for row in table["data"]] for i, name in enumerate(table["columns"])}
    at = {role: columns[name] for role, name in fields.items() if name in columns}
    at |= {axis: at[role] for axis, role in (("x", "step"), ("y", "lineVal")) if role in at}
    if "confusion_matrix" in kind:
        return _matrix(at)
    if "x" in at and "y" in at:
        return {"figure": _xy(kind, at, fields)}
    if "label" in at and "value" in at:
        bars = {
            "type": "bar",
            "x": [escape(str(v)) for v in at["label"]],
            "y": at["value"],
            "marker": {"color": charts.TRAINING},
        }
        return {"figure": charts.figure([bars], height=280, showlegend=False)}
    if "value" in at:
        bars = {"type": "histogram", "x": at["value"], "marker": {"color": charts.TRAINING}}
        return {"figure": charts.figure([bars], height=280, showlegend=False)}
    return None


def _matrix(at):
    """The cells of a confusion matrix [actual][predicted], each {"count", "heat", "right"}."""
    try:
        actual, predicted, counts = at["Actual"], at["Predicted"], at["nPredictions"]
    except KeyError:
        return None
    names = [*dict.fromkeys([*map(str, actual), *map(str, predicted)])]
    cells = {(str(a), str(p)): int(n) for a, p, n in zip(actual, predicted, counts, strict=True)}
    most = max((n for (a, p), n in cells.items() if a != p), default=1) or 1
    rows = [
        [
            {"count": cells.get((a, p), 0), "heat": round(min(cells.get((a, p), 0) / most, 1), 3), "right": a == p}
            for p in names
        ]
        for a in names
    ]
    return {"matrix": {"names": names, "rows": rows}}


def _xy(kind, at, fields):
    """A line, or points, for each series."""
    roles = ("lineKey", "stroke", "class", "color")
    series = next((at[role] for role in roles if role in at), None)
    mode = "markers" if "scatter" in kind else "lines"
    traces = []
    for name in [*dict.fromkeys(map(str, series))] if series else [None]:
        points = [
            (x, y)
            for i, (x, y) in enumerate(zip(at["x"], at["y"], strict=True))
            if name is None or str(series[i]) == name
        ]
        dash = {"dash": charts.DASHES[len(traces) % len(charts.DASHES)]}
        traces.append({"type": "scatter", "mode": mode, "x": [p[0] for p in points], "y": [p[1] for p in points]})
        traces[-1] |= {"name": escape(name or ""), "line": dash}
    titles = {f"{axis}axis": {"title": {"text": escape(str(fields.get(axis) or axis))}} for axis in "xy"}
    return charts.figure(traces, height=300, showlegend=series is not None, **titles)


def _console(path):
    """{"lines", "count"} of the last lines."""
    if not path.exists():
        return None
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 200_000))
        lines = file.read().decode(errors="replace").splitlines()
    return {"text": "\n".join(map(_spoken, lines[-LINES:])), "count": min(len(lines), LINES)}


def _spoken(line):
    """A console's line without its time."""
    line = line.removeprefix("ERROR ")
    stamp, _, rest = line.partition(" ")
    return rest if len(stamp) > 18 and stamp[:4].isdigit() and stamp[10:11] == "T" else line


def _files(folder, at):
    """[(name, address, size)]"""
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part"))[:FILES]
    names = [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths]
    return [(name, at + quote(name), _size(size)) for name, size in names]


def _size(n):
    return f"{n} B" if n < 1000 else f"{n / 1e3:.1f} kB" if n < 1e6 else f"{n / 1e6:.1f} MB"
