import math
from importlib.util import find_spec

import pytest

from muslin.errors import InputError
from muslin.sweeps.file import schema
from muslin.sweeps.file.space import Grid, Space, draw
from muslin.sweeps.search import SAMPLERS, SEARCHES, Exhausted, Repeated, seed_at
from muslin.sweeps.trial_store import Trial

RAW = {
    "method": "random",
    "metric": {"name": "loss"},
    "parameters": {
        "x": {"min": 0.0, "max": 1.0},
        "n": {"values": [1, 2, 3]},
        "group": {"parameters": {"c": {"value": 5}, "k": {"values": ["a", "b"]}}},
    },
}


def searcher(seed=0, sampler="tpe", **changes):
    sweep = schema.parse(RAW | changes)
    return SEARCHES[sweep.method](sweep, seed, sampler), sweep


def told(search, index, value, state="finished", history=()):
    asked = search.ask(index)
    search.tell(Trial(index, asked.config, "", asked.params))
    search.tell(Trial(index, asked.config, "", asked.params, state, [*history], value))
    return asked.config


def test_random_is_the_draw_of_its_index():
    search, sweep = searcher(seed=7)
    assert [search.ask(i).config for i in (3, 0)] == [draw(sweep.space, 7, 3), draw(sweep.space, 7, 0)]


def test_grid_is_in_order_and_ends():
    parameters = RAW["parameters"] | {"x": {"value": 1}}
    search, sweep = searcher(method="grid", parameters=parameters)
    assert search.size == 6
    assert [search.ask(i).config for i in range(6)] == list(Grid(sweep.space))


def test_what_optuna_stores_lies_in_its_distributions():
    search, _ = searcher()
    for i in range(50):
        asked = search.ask(i)
        assert asked.params.keys() == asked.distributions.keys() == {"x", "n", "group.k"}
        assert all(
            asked.distributions[k]._contains(asked.distributions[k].to_internal_repr(v))
            for k, v in asked.params.items()
        )


def test_bayes_learns():
    """Of (x − 0.7)² + n/3 chance has 0.79 in the mean: ∫(x − 0.7)² dx is 0.12, and n is 1, 2, 3."""
    search, _ = searcher(method="bayes", seed=1)
    values = []
    for i in range(60):
        asked = search.ask(i)
        values.append((asked.config["x"] - 0.7) ** 2 + asked.config["n"] / 3)
        search.tell(Trial(i, asked.config, "", asked.params, "finished", [], values[-1]))
    assert sum(values[40:]) / 20 < 0.65


def test_bayes_goes_on_after_a_restart_as_if_there_had_been_none():
    def value(config):
        return (config["x"] - 0.3) ** 2

    first, _ = searcher(method="bayes")
    trials = []
    for i in range(15):
        asked = first.ask(i)
        trials.append(Trial(i, asked.config, "", asked.params, "finished", [], value(asked.config)))
        first.tell(trials[-1])
    second, _ = searcher(method="bayes")
    for trial in trials:
        second.tell(trial)
    assert second.ask(15).config == first.ask(15).config
    assert second.ask(15).config not in [trial.config for trial in trials]


@pytest.mark.parametrize(("impute", "value"), [("worst", 9.0), ("best", 1.0), ("latest", 4.0)])
def test_bayes_gives_a_failed_run_a_value(impute, value):
    search, _ = searcher(method="bayes", metric={"name": "loss", "impute": impute})
    told(search, 0, 1.0)
    told(search, 1, 9.0)
    told(search, 2, None, "failed", [7.0, 4.0, float("nan")])
    assert search.study.trials[2].value == value


def test_a_run_stopped_early_counts_with_its_value():
    search, _ = searcher(method="bayes")
    told(search, 0, 3.0, "stopped_early")
    assert search.study.trials[0].value == 3.0


def test_gp_needs_torch():
    if find_spec("torch"):
        import optuna

        assert SAMPLERS["gp"](optuna, 0)
    else:
        search, _ = searcher(method="bayes", sampler="gp")
        with pytest.raises(InputError, match="pip install torch"):
            search.ask(0)


SMALL = {"a": {"values": [1, 2]}, "g": {"parameters": {"b": {"values": ["x", "y"]}}}, "c": {"value": 3}}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_no_configuration_twice(method):
    search, sweep = searcher(method=method, parameters=SMALL)
    assert search.size == sweep.space.size == 4
    seen = [told(search, i, 1.0) for i in range(4)]
    assert sorted(map(str, seen)) == sorted(str(config) for config in Grid(sweep.space))


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_the_course_s_space_without_a_repetition(method):
    values = {"epochs": [5, 10], "layers": [3, 4, 5], "size": [32, 64], "lr": [0.001, 0.0001]}
    search, _ = searcher(method=method, parameters={name: {"values": v} for name, v in values.items()})
    seen = [str(told(search, i, (i * 7) % 5)) for i in range(24)]
    assert len({*seen}) == search.size == 24


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_after_a_restart_nothing_is_asked_for_again(method):
    first, _ = searcher(method=method, parameters=SMALL)
    trials = [
        Trial(i, asked.config, "", asked.params, "finished", [], 1.0) for i in range(3) for asked in [first.ask(i)]
    ]
    second, _ = searcher(method=method, parameters=SMALL)
    for trial in trials:
        second.tell(trial)
    assert second.ask(3).config not in [trial.config for trial in trials]


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_space_with_nothing_left(method, monkeypatch):
    monkeypatch.setattr("muslin.sweeps.search.PATIENCE", 50)
    search, _ = searcher(method=method, parameters=SMALL)
    for i in range(4):
        told(search, i, 1.0)
    with pytest.raises(Exhausted, match="no configuration that has not been run"):
        search.ask(4)


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"values": [1, 1.0, 2, "2"]}, 3),
        ({"values": [1, 2, 3], "probabilities": [0.5, 0.5, 0]}, 2),
        ({"min": 3, "max": 7}, 5),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}, 5),
        ({"distribution": "q_log_uniform_values", "min": 32, "max": 256, "q": 8}, 29),
        ({"distribution": "q_beta", "q": 0.1}, 11),
        ({"min": 0.0, "max": 1.0}, math.inf),
        ({"distribution": "q_normal"}, math.inf),
        ({"value": 3}, 1),
    ],
)
def test_how_many_configurations_there_are(spec, count):
    space = Space.of({"x": spec, "y": {"values": ["a", "b"]}})
    assert space.size == 2 * count
    if count < math.inf:
        assert len({space.key(draw(space, 0, i)) for i in range(3000)}) == 2 * count


@pytest.mark.parametrize("method", ["random", "grid", "bayes"])
@pytest.mark.parametrize(("seed", "base"), [(None, 0), ({"seed": {"value": 5}}, 5)])
def test_repeats_are_other_seeds_of_the_same_point(method, seed, base):
    search, sweep = searcher(method=method, parameters=SMALL | (seed or {}))
    repeated = Repeated(search, 3, seed_at(sweep))
    assert (repeated.size, repeated.learns) == (12, method == "bayes")
    seen = [told(repeated, i, 1.0) for i in range(12)]
    assert [config.pop("seed") for config in seen] == [base, base + 1, base + 2] * 4
    assert all(seen[i] == seen[i - i % 3] for i in range(12))
    assert len({*map(str, seen)}) == 4


def test_a_repeat_after_a_restart():
    first, sweep = searcher(method="bayes", parameters=SMALL)
    asked = Repeated(first, 2, seed_at(sweep)).ask(0)
    second, _ = searcher(method="bayes", parameters=SMALL, seed=9)
    again = Repeated(second, 2, seed_at(sweep))
    again.tell(Trial(0, asked.config, "", asked.params, "finished", [], 1.0))
    assert again.ask(1).config == asked.config | {"seed": 1}


def test_repeats_where_the_file_has_seeds_of_its_own():
    for spec in ({"values": [1, 2]}, {"value": "x"}):
        with pytest.raises(InputError, match=r"the file has values for g\.random_seed; leave it out"):
            seed_at(schema.parse(RAW | {"parameters": {"g": {"parameters": {"random_seed": spec}}}}))
    assert seed_at(schema.parse(RAW | {"program": "p.py"})) == ()
