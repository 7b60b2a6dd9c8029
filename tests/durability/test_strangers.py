"""What a stranger's JSON and YAML may hold, by Hypothesis: each ends in what was asked for or in one sentence."""

import json
import math
from contextlib import contextmanager
from functools import reduce
from operator import getitem
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import muslin
from muslin import InputError
from muslin.cli import compare
from muslin.files import read_json, write_json, write_json_lines
from muslin.report import logged_run
from muslin.runs.settings import Settings
from muslin.studies.transfer import results, standings
from muslin.studies.transfer.plan import CONTESTANTS
from muslin.sweeps import report
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.server import graph
from muslin.sweeps.server.desk import Desk
from muslin.sweeps.server.links import Links

TEXTS = ["", "a", "x", "loss", "../x", "NaN", "1e5", "é\x1b[31m", "x" * 300, "2020-01-01", "\ud800", "\0"]
SCALARS = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.sampled_from([10**30, -(2**63), 1e308])
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "_type", "value"]), inner),
    max_leaves=4,
)


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@st.composite
def bent(draw, right):
    """The right value in which up to three things were left out, named differently or replaced; or anything."""
    value = json.loads(json.dumps({"": right}))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([*places(value)][1:] or [("",)]))
        place = reduce(getitem, path, value)
        how = draw(st.integers(0, 4)) if path and isinstance(place, dict) else 4
        if how == 0:
            del place[last]
        elif how == 1:
            place[draw(st.sampled_from(TEXTS))] = place.pop(last)
        else:
            place[last] = draw(ANYTHING)
    return value[""]


@contextmanager
def one_sentence():
    said = "A sentence"
    try:
        yield
    except InputError as error:
        said = str(error)
    assert 0 < len(said) < 2000


tries = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, derandomize=True)
few = settings(tries, max_examples=60)
many = settings(tries, max_examples=400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("strangers")


AMOUNTS = pytest.mark.parametrize("amount", [few, pytest.param(many, marks=pytest.mark.slow)], ids=["few", "many"])


def tried(amount, strategy, test):
    amount(given(strategy)(test))()


# Settings, sweeps


@AMOUNTS
def test_settings(amount):
    right = Settings.read({}).model_dump()

    def read(value):
        with one_sentence():
            Settings.read(value if isinstance(value, dict) else {"epochs": value})

    tried(amount, bent(right), read)


@pytest.fixture(scope="module")
def sweep(folder):
    file = {
        "method": "random",
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
    muslin.sweep(file, lambda config: config["x"], count=3, name="sweep", runs_dir=folder)
    path = folder / "sweep"
    report.write(path)
    return path, read_json(path / "sweep.json")


@AMOUNTS
@pytest.mark.parametrize("name", ["sweep.json", "wandb_sweep.json"])
def test_a_sweep_s_facts(amount, name, sweep, folder):
    path, right = sweep
    if name == "wandb_sweep.json":
        right = {"sweep": "a/b/c", "file": right["file"]}
        (path / "sweep.json").unlink()

    def look(value):
        write_json(path / name, value)
        with one_sentence():
            directory = SweepDirectory(path)
            directory.trials()
            report.write(path, folder / "page.html")

    try:
        tried(amount, bent(right), look)
    finally:
        (path / name).unlink()
        write_json(path / "sweep.json", sweep[1])


FIGURES = {"test_accuracy": 0.5, "samples": 10}
CELLS = [{"fraction": 0.5, "seed": 1, "contestant": name} | FIGURES for name in CONTESTANTS]


@AMOUNTS
def test_a_transfer(amount, folder):
    right, path = {"facts": {"model": "a"}, "cells": CELLS}, folder / "transfer.json"

    def look(value):
        write_json(path, value)
        with one_sentence():
            cells = results.read(path, SimpleNamespace(facts={"model": "a"}))
            if not results.missing(cells, [0.5], [1]):
                standings.table(cells, [0.5], [1])

    tried(amount, bent(right), look)


# Runs that any program has logged

CONFIG = {"name": "r", "config": {"lr": 0.1, "a": {"b": 1}}, "wandb": {"id": "r", "tags": ["a"], "created": 1.0}}
HISTORY = [
    {"_step": 0, "_runtime": 1.0, "loss": 1.5, "h": {"_type": "histogram", "bins": [0, 1], "values": [3]}},
    {
        "_step": 1,
        "loss": 0.5,
        "t": {"_type": "table-file", "path": "t.json"},
        "p": {"_type": "image-file", "path": "p.png"},
    },
]
SUMMARY = {"state": "finished", "iterations": 2, "seconds": 1.0, "loss": 0.5}
TABLE = {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}


@AMOUNTS
def test_a_run_that_was_logged(amount, folder):
    path = folder / "logged"
    (path / "files").mkdir(parents=True, exist_ok=True)
    right = {"config": CONFIG, "history": HISTORY, "summary": SUMMARY, "table": TABLE}

    def look(found):
        found = found if isinstance(found, dict) else {}
        write_json(path / "config.json", found.get("config"))
        rows = found.get("history")
        write_json_lines(
            path / "history.jsonl", rows if isinstance(rows, list) and rows and isinstance(rows[0], dict) else HISTORY
        )
        write_json(path / "summary.json", found.get("summary"))
        (path / "files" / "t.json").write_text(json.dumps(found.get("table")), "utf-8", "backslashreplace")
        with one_sentence():
            run = logged_run.LoggedRun(path)
            json.dumps(logged_run.contents(run, ""), default=str)
            run.status()
        with one_sentence():
            compare._row(path)

    tried(amount, bent(right), look)


# What is sent to the server


def sent(kind, depth=0):
    """Values of a GraphQL type: right in kind, whatever they say."""
    from graphql import is_enum_type, is_input_object_type, is_list_type, is_non_null_type

    if is_non_null_type(kind):
        return sent(kind.of_type, depth)
    if is_list_type(kind):
        return st.none() | st.lists(sent(kind.of_type, depth + 1), max_size=2)
    if is_enum_type(kind):
        return st.sampled_from([*kind.values])
    if is_input_object_type(kind):
        need = {
            name: sent(field.type, depth + 1) for name, field in kind.fields.items() if is_non_null_type(field.type)
        }
        may = {name: sent(field.type, depth + 1) for name, field in kind.fields.items() if name not in need}
        return st.fixed_dictionaries(need, optional=may) if depth < 6 else st.just({})
    name = kind.name
    if name in ("Int", "Int64"):
        return st.integers(-2, 5)
    if name == "Float":
        return st.floats(-2, 5)
    if name == "Boolean":
        return st.booleans()
    if name in ("JSONString", "JSON"):
        return (bent(JSONS) | ANYTHING).map(json.dumps) | st.sampled_from(TEXTS)
    return st.sampled_from(IDS)


IDS = [
    "r",
    "p",
    "local",
    "",
    "1",
    "2",
    "Run:1",
    "Artifact:1",
    "unknown",
    "é",
    "x" * 300,
    "../x",
    "sweep",
    "agent",
    "finished",
    "a.txt",
]
JSONS = {
    "x": {"value": 1},
    "_wandb": {"value": {"runtime": 1}},
    "contents": {"a.txt": {"digest": "abc", "size": 1}},
    "r": True,
}


@st.composite
def mutations(draw):
    fields = {name: field for name, field in graph.schema().mutation_type.fields.items() if "input" in field.args}
    field = draw(st.sampled_from(sorted(fields)))
    kind = fields[field].args["input"].type
    return field, str(kind), draw(sent(kind))


PIECE = {
    "files": {
        "wandb-history.jsonl": {"offset": 0, "content": ['{"loss": 1}', '{"loss": NaN, "_step": 1}']},
        "wandb-summary.json": {"offset": 0, "content": ['{"loss": 1}']},
        "output.log": {"offset": 0, "content": ["a", "b\n"]},
    },
    "complete": False,
    "exitcode": 0,
}
SWEEP = {"method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "parameters": {"x": {"values": [1, 2, 3]}}}


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "served")
    desk.upsert_run({"name": "r", "modelName": "p"})
    sweep, _ = desk.create_sweep(None, "p", SWEEP)
    desk.create_agent(sweep, "h")
    yield desk
    desk.close()


@AMOUNTS
def test_mutations(amount, desk, capsys):
    asked = graph.Graph(desk, "http://server", Links(desk, "http://server", b"secret"))

    def ask(mutation):
        field, kind, input = mutation
        query = f"mutation($i: {kind}) {{ {field}(input: $i) {{ __typename }} }}"
        found = graph.answer(asked, query, {"i": input})
        assert "The server failed" not in str(found), (field, input, capsys.readouterr().err)
        for name in ("r", "unknown"):
            run = desk.run(None, "p", name)
            assert run is None or list(desk.history_rows(run)) is not None

    tried(amount, mutations(), ask)


@AMOUNTS
def test_pieces_of_a_stream(amount, desk):
    def send(piece):
        with one_sentence():
            desk.stream("local", "p", "r", piece if isinstance(piece, dict) else {"files": piece})
        run = desk.run(None, "p", "r")
        assert all(isinstance(row, dict) for row in desk.history_rows(run))
        assert not any(isinstance(v, float) and math.isnan(v) for row in desk.history_rows(run) for v in row.values())

    tried(amount, bent(PIECE), send)
