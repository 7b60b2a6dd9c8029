"""The sweep file: valid and invalid ones, every problem at once, and the verdict of W&B's own schema."""

import itertools
import json
import math
import os
import re
import time
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_files import FILES, INVALID, VALID, load

from muslin.errors import InputError
from muslin.sweeps.file.fields import EARLY_TERMINATE, METRIC, REQUIRED
from muslin.sweeps.file.hyperband import Hyperband
from muslin.sweeps.file.problems import problems, warnings
from muslin.sweeps.file.schema import InvalidSweep, Metric, parse, read
from muslin.sweeps.file.space import Grid

REFERENCES = Path(__file__).parents[1] / "references"
VERDICTS = json.loads((REFERENCES / "sweeps.json").read_text(encoding="utf-8"))["verdicts"]

#: file → why our verdict is not that of the package sweeps 0.2.0 (schema, search and stopping rule together)
NEWER = "W&B's schema has had the key since"
WARNED = "W&B's server only warns of a key at the top that it does not know"
DEPRECATED = "W&B's server only warns of the distribution"
DIFFERENCES = {
    "a limit, a job and an image": NEWER,
    "a limit as 5.0": NEWER,
    "hyperband, strict": NEWER,
    "imputing while running": NEWER,
    "course: early_stopping": WARNED,
    "unknown key at the top": WARNED,
    "count": WARNED,
    "log_uniform": DEPRECATED,
    "q_log_uniform": DEPRECATED,
    "inv_log_uniform": DEPRECATED,
    "course: hyperband with eta": "its bayes search fails on probabilities, with an IndexError",
    "course: hyperband with min_iter and max_iter": "its rule asks for s even where min_iter would do",
    "course: hyperband with lists": "it is clear what [3] means; we warn",
    "probabilities with categorical": "it is clear what is meant, and the documentation has no other name; we warn",
    "nested, named": "it is clear what is meant; we warn",
    "parameter: one whole bound": "its schema takes it for uniform, but wandb.sweep refuses it as ambiguous",
    "parameter: a date": "JSON, in which W&B sends configurations, cannot hold it",
    "parameter: an infinite bound": "it draws infinity or NaN",
    "parameter: beta's a 0": "it draws NaN",
    "a name twice": "to reports, plots and Optuna the two parameters would be one",
}


def test_there_are_at_least_forty_of_each():
    assert len(VALID) >= 40
    assert len(INVALID) >= 40


@pytest.mark.parametrize("name", VALID)
def test_valid(name):
    raw = load(VALID[name])
    assert problems(raw) == []
    sweep = parse(raw)
    assert sweep.method == raw["method"]
    assert sweep.space.config([0.5] * len(sweep.space.searched)).keys() == raw["parameters"].keys()


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name):
    text, named = INVALID[name]
    found = problems(load(text))
    assert len(found) == len(named)
    for sentence, pattern in zip(found, named, strict=True):
        assert re.search(pattern, sentence)
        assert sentence.endswith((".", "?"))
        assert "\n" not in sentence


def test_the_verdict_is_that_of_wandb_but_for_the_differences():
    assert {name for name, theirs in VERDICTS.items() if all(theirs) != (name in VALID)} == DIFFERENCES.keys()
    assert VERDICTS.keys() | LATER == FILES.keys()


#: files that its record does not have
LATER = {
    "hyperband: bands without end",
    "parameter: dates",
    "parameter: a bound of 400 digits",
    "parameter: a bound of a large number",
    "parameter: a list of texts",
}


#: what may stand anywhere in a file
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.floats(-2, 9)
    | st.sampled_from([math.inf, "1e-5", "nested", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "values", "min", 1]), inner),
)


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@st.composite
def bent(draw):
    """A valid file in which up to three things were left out or replaced."""
    raw = load(VALID[draw(st.sampled_from(sorted(VALID)))])
    for _ in range(draw(st.integers(0, 3))):
        *path, last = draw(st.sampled_from([*places(raw)][1:] or [("method",)]))
        place = reduce(getitem, path, raw)
        if isinstance(place, dict) and draw(st.booleans()):
            place.pop(last, None)
        else:
            place[last] = draw(ANYTHING)
    return raw


@given(bent() | ANYTHING)
def test_whatever_a_file_holds_there_are_problems_or_a_sweep(raw):
    found = problems(raw)
    assert all(isinstance(sentence, str) for sentence in found)
    if not found:
        sweep = parse(raw)
        assert sweep.space.config([0.3] * len(sweep.space.searched)).keys() == raw["parameters"].keys()
        assert all(map(str, sweep.space.leaves))
        if sweep.method == "grid":
            assert Grid(sweep.space)[0].keys() == raw["parameters"].keys()


def test_every_problem_is_listed_at_once(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("{methd: grid, metric: {gaol: x}, parameters: {a: {min: 2, max: 1}, b: {values: []}}}")
    with pytest.raises(InvalidSweep) as error:
        read(path)
    assert len(error.value.problems) == 6
    assert str(error.value).splitlines()[0] == f"{path}: 6 problems"
    assert [line.strip() for line in str(error.value).splitlines()[1:]] == error.value.problems


def test_one_problem_is_one_line():
    with pytest.raises(InputError) as error:
        parse({"method": "random", "parameters": {"a": {"values": []}}}, where="s.yaml")
    assert str(error.value) == "s.yaml: parameters.a.values is []; it must be a list of values, at least one."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"method: [random", r"sweep\.yaml, line 1: not valid YAML or JSON"),
        (b"method: random\n\tparameters: 1", r"sweep\.yaml, line 2: not valid YAML or JSON"),
        (b"\xff\xfe\xfa", r"sweep\.yaml: not valid YAML or JSON"),
        (b"[" * 5000, r"sweep\.yaml.*: not valid YAML or JSON"),
        (None, r"There is no sweep file .*sweep\.yaml"),
    ],
    ids=["bracket", "tab", "bytes", "deep", "missing"],
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "sweep.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="Cannot read the sweep file"):
        read(tmp_path)


def test_json_numbers_are_numbers(tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text('{"method": "random", "parameters": {"lr": {"min": 1e-5, "max": 1e-1}}}')
    assert read(path).parameters == {"lr": {"min": 1e-5, "max": 0.1}}


def test_what_is_left_out_has_its_default():
    sweep = parse({"method": "random", "parameters": {"a": {"value": 1}}})
    assert (sweep.metric, sweep.early_terminate, sweep.run_cap, sweep.program, sweep.warnings) == (None,) * 4 + ((),)
    sweep = parse(load(VALID["documentation: min_iter"]))
    assert sweep.metric == Metric("loss", "minimize", None, "worst", "false")
    assert sweep.early_terminate == Hyperband(min_iter=3, max_iter=None, s=None, eta=3, strict=True)


def test_the_tables_and_the_classes_have_the_same_defaults():
    given = {key: rule.default for key, rule in METRIC.items() if rule.default is not REQUIRED}
    assert Metric("loss") == Metric("loss", **given)
    given = {key: rule.default for key, rule in EARLY_TERMINATE.items() if rule.default is not REQUIRED}
    assert Hyperband() == Hyperband(**given)


def test_what_is_given_is_kept():
    raw = load(VALID["every key at the top"])
    sweep = parse(raw)
    assert sweep.metric == Metric("loss", "minimize", 0.1, "latest")
    assert sweep.early_terminate == Hyperband(min_iter=1, eta=2.5)
    assert (sweep.program, sweep.command, sweep.name) == ("train.py", ["python", "train.py"], "n")
    assert (sweep.description, sweep.project, sweep.entity) == ("d", "p", "e")
    assert sweep.raw == raw
    assert parse(load(VALID["hyperband, strict"])).early_terminate.strict is False
    assert repr(parse(load(VALID["a limit as 5.0"])).run_cap) == "5"


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "documentation: first example": [],
        "documentation: bayes with hyperband": ["parameters.decay has '1e-5': this is a text to YAML"],
        "course: hyperband with lists": [
            "early_terminate.min_iter is the list .3., which W&B refuses; it is taken for 3",
            "early_terminate.s is the list .2.",
            "early_terminate.s is not used.*max_iter and s go together",
            "metric.goal is missing, so",
        ][:3],
        "course: hyperband with min_iter and max_iter": ["early_terminate.max_iter is not used"],
        "log_uniform": ["parameters.a: log_uniform is deprecated.*e.-5 to e.-1.*log_uniform_values"],
        "q_log_uniform": ["parameters.a: q_log_uniform is deprecated.*q_log_uniform_values"],
        "inv_log_uniform": ["parameters.a: inv_log_uniform is deprecated.*inv_log_uniform_values"],
        "log_uniform_values": [],
        "course: early_stopping": ["early_stopping is no key of a sweep file.*mean 'early_terminate'"],
        "unknown key at the top": ["colour is no key of a sweep file, and is not used.$"],
        "count": ["count is no key.*--count N.*run_cap: N"],
        "nested, named": ["parameters.g: W&B refuses distribution: nested"],
        "probabilities with categorical": ["parameters.a: W&B refuses distribution: categorical with prob"],
    }.items(),
)
def test_warnings(name, expected):
    found = warnings(load(VALID[name]))
    assert len(found) == len(expected)
    assert all(map(re.search, expected, found))


def test_numbers_that_are_texts_to_yaml():
    """A program gets them as texts, from W&B's agent too; our own settings read them as numbers."""
    raw = {"method": "random", "parameters": {"lr": {"values": ["1e-5", 0.1]}}}
    assert warnings(raw) == []
    assert re.search("parameters.lr has '1e-5': this is a text.*1.0e-5", *warnings(raw | {"program": "p.py"}))


def test_more_warnings():
    base = {"method": "random", "parameters": {"g": {"parameters": {"a": {"value": 1}}}}, "metric": {"name": "Val Acc"}}
    assert re.search("Val Acc is minimized; write goal: maximize", *warnings(base))
    assert warnings(base | {"metric": {"name": "Val Acc", "goal": "minimize"}}) == []
    both = {"type": "hyperband", "min_iter": 3, "max_iter": 27, "s": 2}
    assert re.search("min_iter is not used", *warnings(base | {"metric": {"name": "loss"}, "early_terminate": both}))


def test_a_run_counts_for_its_best_finite_value():
    values = [0.3, float("nan"), 0.7, float("inf"), None, "x", True, 0.5]
    assert Metric("loss").best(values) == 0.3
    assert Metric("accuracy", "maximize").best(values) == 0.7
    assert Metric("loss").best([float("nan")]) is None


def test_the_target_ends_the_sweep():
    assert [Metric("m", "minimize", 0.5).reached(v) for v in (0.4, 0.5, 0.6, None)] == [True, True, False, False]
    assert [Metric("m", "maximize", 0.5).reached(v) for v in (0.4, 0.5, 0.6, None)] == [False, True, True, False]
    assert not Metric("m").reached(0.0)


#: what no one means, a few hundred bytes of each; one sentence at once
HOSTILE = {
    "aliases of aliases": "a: &a [1,2,3,4,5,6,7,8,9,0]\n"
    + "".join(f"{x}: &{x} [{', '.join([f'*{y}'] * 10)}]\n" for y, x in itertools.pairwise("abcdefghi"))
    + "method: *i\nparameters: {x: {values: *i}}",
    "an alias of itself": "method: random\nparameters: &p {x: *p}",
    "a deep list": "method: random\nparameters: {x: {value: " + "[" * 200 + "]" * 200 + "}}",
    "deep JSON": '{"method": ' + "[" * 100_000,
    "a tag that does not fit": "method: !!bool x\nparameters: {x: {value: 1}}",
    "a number that is none": "method: random\nparameters: {x: {value: !!int ''}}",
    "a date that is none": "method: random\nparameters: {x: {value: !!timestamp foo}}",
    "bands without end": "method: random\nmetric: {name: loss}\nparameters: {lr: {value: 0.1}}\n"
    "early_terminate: {type: hyperband, max_iter: 27, s: 1000000000, eta: 1.0000001}",
    "a long name": "method: random\nparameters: {" + "x" * 100_000 + ": {vlaue: 1}}",
    "escapes": 'method: random\nparameters: {"a\\e[31m": {value: 1}, x: {value: "\\e[2J", values: 1}}\n"\\e]0;t": 1',
    "a text of a megabyte": "method: " + "x" * 900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_a_few_short_sentences_at_once(name, tmp_path, muslin):
    path = tmp_path / "sweep.yaml"
    path.write_text(HOSTILE[name])
    start = time.process_time()  # other work on the machine does not count
    code, out, err = muslin("sweep", path, "--check")
    assert (code, out) == (2, "")
    assert time.process_time() - start < 3
    assert 0 < err.count("\n") <= 6
    assert len(err) < 4000
    assert err.replace("\n", "").isprintable()


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
def test_what_is_no_regular_file_is_not_read(tmp_path, muslin):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        code, _, err = muslin("sweep", path, "--check")
        assert (code, err.count("\n")) == (2, 1)
        assert "not a regular file" in err


def test_enormous_bands_are_none():
    """So large that no double holds them, at once and without an overflow."""
    for rule in ({"min_iter": 1, "eta": 1e300}, {"min_iter": 10**300, "eta": 10.0}, {"max_iter": 10**300, "s": 10**9}):
        given = {"type": "hyperband"} | rule
        assert len(Hyperband.of(given).bands(10**6)) <= 1000
