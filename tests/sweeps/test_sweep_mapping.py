"""Leaves as Optuna's distributions: the same value for every u, and wandb's own mapping."""

import json
import runpy
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from muslin.errors import InputError
from muslin.sweeps.file.space import LARGEST, SMALLEST, Grid, Space, draw, point
from muslin.sweeps.mapping import parameters

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "wandb.json").read_text(encoding="utf-8"))["distributions"]
SWEEPS = json.loads((REFERENCES / "sweeps.json").read_text(encoding="utf-8"))
MAKE = runpy.run_path(str(REFERENCES / "make.py"))
PARAMETERS, GRIDS = MAKE["PARAMETERS"], MAKE["GRIDS"]

#: parameter → Optuna's distribution here, where it is not wandb's, and why
U = "FloatDistribution(high=1.0, log=False, low=0.0, step=None)"
NONE = "wandb refuses it"
MULTIPLES = "W&B's search draws multiples of q, also beside the bounds; wandb counts steps from min"
DIFFERENCES = {
    "categorical": ("CategoricalDistribution(choices=('1', '\"x\"', 'null', '[2, 3]'))", "Optuna stores no lists"),
    "weighted": (U, "wandb loses the probabilities"),
    "q_uniform": ("IntDistribution(high=10, log=False, low=0, step=1)", MULTIPLES),
    "q_uniform, whole": ("IntDistribution(high=24, log=False, low=0, step=4)", MULTIPLES),
    "q_uniform, q": ("FloatDistribution(high=1.25, log=False, low=-0.5, step=0.25)", MULTIPLES),
    "log_uniform": ("FloatDistribution(high=0.36787944117144233, log=True, low=0.006737946999085467, step=None)", NONE),
    "q_log_uniform": ("FloatDistribution(high=148.4131591025766, log=True, low=1.0, step=None)", NONE),
    "inv_log_uniform": (
        "FloatDistribution(high=0.36787944117144233, log=True, low=0.01831563888873418, step=None)",
        NONE,
    ),
    "inv_log_uniform_values": ("FloatDistribution(high=0.5, log=True, low=0.001, step=None)", NONE),
    **{
        name: (U, NONE)
        for name, theirs in RECORD.items()
        if theirs is None and ("normal" in name or "beta" in name) and "uniform" not in name
    },
}

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="optuna is missing: pip install 'muslin[sweep]'")
each_parameter = pytest.mark.parametrize("name", PARAMETERS)
US = [SMALLEST, *(i / 40 for i in range(1, 40)), LARGEST]


def only(name):
    space = Space.of({"x": PARAMETERS[name]})
    return space.leaves[0], parameters(space)["x"]


@needs_optuna
@each_parameter
def test_the_distribution_is_that_of_wandb_but_for_the_differences(name):
    assert repr(only(name)[1].distribution) == DIFFERENCES.get(name, (RECORD[name],))[0]


def test_the_differences_are_differences():
    assert all(RECORD[name] != ours for name, (ours, _) in DIFFERENCES.items())


@needs_optuna
@each_parameter
def test_what_optuna_sees_stands_for_the_value(name):
    leaf, parameter = only(name)
    for u in US:
        seen = parameter.seen(u)
        stored = parameter.distribution.to_internal_repr(seen)
        assert parameter.distribution._contains(stored)
        again = parameter.distribution.to_external_repr(stored)
        assert parameter.value(again) == leaf(u)
        assert type(parameter.value(again)) is type(leaf(u))


@needs_optuna
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"values": [1, 2, 1]}, U),  # Optuna would lose that 1 counts twice
        ({"values": [1, True]}, U),  # to Optuna they are the same
        ({"values": [{"a": 1}, {"a": 2}]}, """CategoricalDistribution(choices=('{"a": 1}', '{"a": 2}'))"""),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 1 / 7}, U),  # its multiples are no decimals
        ({"distribution": "log_uniform", "min": -2000, "max": 0}, U),  # e^-2000 is 0
        (
            {"distribution": "q_log_uniform_values", "min": 0.4, "max": 9},  # 0 may be drawn
            "FloatDistribution(high=9.0, log=True, low=0.4, step=None)",
        ),
        (
            {"distribution": "q_log_uniform_values", "min": 1, "max": 9, "q": 1.0},  # numbers with a point
            "IntDistribution(high=9, log=True, low=1, step=1)",
        ),
    ],
)
def test_what_optuna_cannot_have(spec, expected):
    space = Space.of({"x": spec})
    parameter = parameters(space)["x"]
    assert repr(parameter.distribution) == expected
    assert list(map(repr, map(parameter.value, map(parameter.seen, US)))) == [repr(space.leaves[0](u)) for u in US]


@needs_optuna
@pytest.mark.parametrize("sampler", ["RandomSampler", "TPESampler"])
def test_a_search_of_all_of_them(sampler):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = Space.of({name.translate({32: "_", 44: "_"}): spec for name, spec in PARAMETERS.items()})
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=0))
    mapped = parameters(space)
    for i in range(30):
        trial = study.ask({name: p.distribution for name, p in mapped.items()})
        config = space.assemble({name: p.value(trial.params[name]) for name, p in mapped.items()})
        assert config.keys() == {leaf.name for leaf in space.leaves}
        json.dumps(config, allow_nan=False)
        study.tell(trial, float(i % 7))


@needs_optuna
@pytest.mark.parametrize("search", ["random", "grid"])
def test_a_point_drawn_elsewhere_can_be_a_trial(search):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if search == "random":
        space = Space.of(PARAMETERS)
        points, configs = [point(space, 1, i) for i in range(20)], [draw(space, 1, i) for i in range(20)]
    else:
        grid = Grid(Space.of(GRIDS["all kinds"]))
        space, points, configs = grid.space, map(grid.point, range(len(grid))), SWEEPS["grids"]["all kinds"]
    study, mapped = optuna.create_study(), parameters(space)
    for place, config in zip(points, configs, strict=True):
        study.enqueue_trial({name: p.seen(u) for (name, p), u in zip(mapped.items(), place, strict=True)})
        trial = study.ask({name: p.distribution for name, p in mapped.items()})
        assert space.assemble({name: p.value(trial.params[name]) for name, p in mapped.items()}) == config


@needs_optuna
def test_constants_are_left_out():
    assert parameters(Space.of({"a": {"value": 1}, "b": {"values": [1, 2]}})).keys() == {"b"}


def test_without_optuna_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'muslin\[sweep\]'"):
        parameters(Space.of({"a": {"values": [1, 2]}}))


def test_optuna_is_loaded_only_where_it_is_needed():
    script = "import sys; import muslin.sweeps.mapping, muslin.sweeps.file.schema; print('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


@needs_optuna
@pytest.mark.skipif(not MAKE["installed"]("wandb"), reason="wandb is missing: pip install 'muslin[wandb]'")
def test_the_record_is_what_wandb_says():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert MAKE["distributions"]() == RECORD
