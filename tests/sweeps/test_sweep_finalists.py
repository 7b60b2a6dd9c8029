"""The best configurations once more: other seeds, the best mean, and nothing trained twice."""

import json
import math
import shutil
import statistics
from dataclasses import replace

import pytest

from muslin.errors import InputError
from muslin.executors.processes import Processes
from muslin.files import write_json
from muslin.runs import Run
from muslin.sweeps import finalists, retrain
from muslin.sweeps.directory import SweepDirectory, begin
from muslin.sweeps.file import schema
from muslin.sweeps.file.schema import Metric
from muslin.sweeps.finalists import Finalist
from muslin.sweeps.scheduler import Scheduler
from muslin.sweeps.trial_store import Trial


@pytest.fixture(scope="module")
def swept(tmp_path_factory, tiny):
    where, study = begin(schema.parse(tiny), "tiny", tmp_path_factory.mktemp("runs"))
    Scheduler(where, study, Processes(2, where.path / "workers.log"), count=4).run()
    return SweepDirectory(where.path)


def test_the_best_are_trained_with_new_seeds(swept):
    shown = []
    trials = swept.trials()
    found = finalists.contest(swept, trials, 2, 2, show=lambda done, all: shown.append((done, all)))
    ranked = sorted(trials, key=lambda trial: -trial.value)[:2]
    assert {f.trial.number for f in found} == {trial.number for trial in ranked}
    assert shown[-1] == (4, 4)
    for finalist in found:
        assert [*finalist.values] == [1, 2]  # the sweep had 0
        for seed, value in finalist.values.items():
            run = Run(swept.path / "finalists" / f"{finalist.trial.run}-seed-{seed}")
            assert run.settings.seed == seed
            assert run.settings.learning_rate == finalist.trial.config["learning_rate"]
            assert value == max(row["val_accuracy"] for row in run.history)
        assert finalist.mean == pytest.approx(statistics.fmean(finalist.values.values()))
        assert finalist.deviation == pytest.approx(statistics.stdev(finalist.values.values()))
    assert found[0].mean >= found[1].mean

    assert not [*swept.path.glob("finalists/*/checkpoint.safetensors")]
    before = {path: path.stat().st_mtime_ns for path in swept.path.glob("finalists/*/summary.json")}
    again = finalists.contest(swept, trials, 2, 2)
    assert [f.values for f in again] == [f.values for f in found]
    assert {path: path.stat().st_mtime_ns for path in swept.path.glob("finalists/*/summary.json")} == before


def test_best_takes_the_best_mean(swept, muslin_json, muslin):
    found = muslin_json("best", swept.path, "--finalists", 2, "--seeds", 2)
    rows = found["finalists"]
    assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
    assert found["best"]["trial"] == rows[0]["trial"]
    assert "over 2 new seeds, the highest mean of 2 finalists" in found["best"]["why"]
    code, out, _ = muslin("best", swept.path, "--finalists", 2, "--seeds", 2)
    assert code == 0
    assert f"finalist   1. {rows[0]['mean']:.4f} ± {rows[0]['deviation']:.4f}  trial {rows[0]['trial']}" in out
    assert "finalists" not in muslin_json("best", swept.path)


def test_before_a_trial_has_finished_there_is_no_best(swept):
    for choose in (lambda: finalists.contest(swept, [], 1, 1), lambda: retrain.choose(swept, [])):
        with pytest.raises(InputError, match="has no finished trial yet"):
            choose()


def test_of_equals_it_is_said_that_the_smallest_was_taken(swept):
    facts = {"state": "finished", "value": 0.75}
    trials = [Trial(n, {}, "r", parameters=size, **facts) for n, size in enumerate((3000, 1000, 2000))]
    trial, why = retrain.choose(swept, trials)
    assert trial.number == 1
    assert why == (
        "val_accuracy 0.75, the highest of 3 trials; of 3 with this value it has the fewest parameters (1,000)"
    )


def test_where_patience_chose_the_epoch_that_many_are_trained(swept):
    trial = swept.trials()[0]
    settings = retrain.final_settings(swept, replace(trial, config=trial.config | {"patience": 1}), seed=7)
    assert settings.epochs == Run(swept.path / trial.run).summary["best_epoch"]
    assert (settings.patience, settings.validation, settings.seed) == (None, 0, 7)
    assert retrain.final_settings(swept, trial).epochs == trial.config["epochs"]


def finalist(number, *values):
    return Finalist(Trial(number, {}, "r", value=0.9), dict(enumerate(values)))


@pytest.mark.parametrize(
    ("goal", "second", "words"),
    [
        ("maximize", (0.80, 0.81, 0.79), "the highest mean of 2 finalists; ahead of the second, trial 2, by 0.1 ±"),
        ("maximize", (0.80, 0.95, 0.90), "the second, trial 2 with 0.8833 ± 0.0764, cannot be told from it"),
        ("minimize", (1.00, 1.01, 0.99), "the lowest mean of 2 finalists; ahead of the second, trial 2, by 0.1 ±"),
        ("maximize", (0.5, None, 0.5), "new seeds; in the sweep 0.9000"),
    ],
)
def test_how_sure_the_winner_is(goal, second, words):
    sentence = finalists.why([finalist(1, 0.9, 0.911, 0.889), finalist(2, *second)], Metric("score", goal))
    assert sentence.startswith("score 0.9000 ± 0.0110 over 3 new seeds")
    assert words in sentence


def test_one_seed_says_little():
    sentence = finalists.why([finalist(1, 0.9), finalist(2, 0.8)], Metric("score", "maximize"))
    assert sentence.startswith("score 0.9000 over 1 new seeds")
    assert "cannot be told" in sentence
    assert math.isnan(finalist(1, 0.9).deviation)


def test_of_a_sweep_that_w_and_b_s_server_searched(swept, tmp_path):
    """Its trials are the runs that are here, with our names of what the file calls MGD's lr."""
    raw = swept.facts["file"]
    parameters = {("lr" if name == "learning_rate" else name): spec for name, spec in raw["parameters"].items()}
    for trial in swept.trials():
        shutil.copytree(swept.path / trial.run, tmp_path / "w" / trial.run)
    write_json(tmp_path / "w" / "wandb_sweep.json", {"sweep": "e/p/s", "file": raw | {"parameters": parameters}})
    there = SweepDirectory(tmp_path / "w")
    found = finalists.contest(there, there.trials(), 1, 1)
    assert found[0].trial.value == max(trial.value for trial in swept.trials())
    assert there.searched(found[0].trial).keys() == {"hidden_size", "lr", "optimizer"}
    assert [*found[0].values] == [1]


def test_a_seed_that_fails_takes_a_finalist_out(swept, monkeypatch):
    failed, run = {"failed": "it diverged"}, finalists.Jobs.run
    monkeypatch.setattr(finalists.Jobs, "run", lambda self: run(self) | {next(iter(self.tasks)): failed})
    found = finalists.contest(swept, swept.trials(), 2, 3)  # one more seed than is there already
    assert [f.whole for f in found] == [True, False]
    assert (finalists.figure(found[1]), found[1].mean) == ("failed", None)
    monkeypatch.setattr(finalists.Jobs, "run", lambda self: dict.fromkeys(self.tasks, failed))
    with pytest.raises(InputError, match="No finalist could be trained with each seed: it diverged"):
        finalists.contest(swept, swept.trials(), 2, 4)


def test_of_repeats_the_best_mean_is_chosen(tmp_path, tiny):
    where, study = begin(schema.parse(tiny), "r", tmp_path, repeats=2)
    for number, value in enumerate([0.9, 0.1, 0.6, 0.7, 0.95]):
        config = {**dict.fromkeys(tiny["parameters"], 1), "learning_rate": number // 2, "seed": number % 2}
        trial = study.start(study.take(lambda n: True), Asked(config), f"r{number}")
        trial.state, trial.value = "finished", value
        assert study.end(trial)
    directory = SweepDirectory(where.path)
    trial, why = retrain.choose(directory, directory.trials())
    assert trial.number == 2
    assert why == "val_accuracy 0.65 ± 0.071 over 2 seeds, the highest mean of 2 configurations"
    with pytest.raises(InputError, match="no configuration of which every repeat"):
        retrain.choose(directory, directory.trials()[:1])
    assert json.loads((where.path / "sweep.json").read_text())["definition"]["repeats"] == 2


class Asked:
    params, distributions = {}, {}

    def __init__(self, config):
        self.config = config
