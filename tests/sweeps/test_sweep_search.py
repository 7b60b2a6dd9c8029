from importlib.util import find_spec

import pytest

from muslin.errors import InputError
from muslin.sweeps.file import schema
from muslin.sweeps.file.space import Grid, draw
from muslin.sweeps.search import SAMPLERS, SEARCHES
from muslin.sweeps.study import Trial

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
