"""The loop with workers that only pretend: each trial's epochs are what a function makes of its configuration."""

import queue
from pathlib import Path

import pytest

from muslin.errors import InputError
from muslin.executors.jobs import Jobs
from muslin.files import write_json_lines
from muslin.sweeps import directory
from muslin.sweeps.file import schema
from muslin.sweeps.scheduler import Scheduler, best, run_name
from muslin.sweeps.trial_store import Trial

RAW = {
    "method": "random",
    "metric": {"name": "val_accuracy", "goal": "maximize"},
    "parameters": {"epochs": {"value": 9}, "learning_rate": {"min": 0.1, "max": 0.9}},
}


class Worker:
    code, node = -9, ""
    answer, ended = None, None
    since, killed = float("inf"), False

    def send(self, message):
        self.answer = message.get("stop", self.answer)
        self.ended = message.get("end", self.ended)

    def kill(self):
        self.killed = True


class Pretended:
    """A pool in which a trial's epochs go round in turns. ``life(settings)`` gives the values of its epochs, a text
    for its failure, or None for the death of its worker."""

    def __init__(self, size, life):
        self.size, self.life, self.busy, self.stopped = size, life, {}, False
        self.turns = queue.SimpleQueue()

    waits = False
    free = property(lambda self: self.size - len(self.busy))

    def give(self, trial, task):
        worker = Worker()
        self.busy[worker] = trial
        self.turns.put((worker, self._messages(task, worker)))

    def _messages(self, task, worker):
        life = self.life(task["settings"])
        yield {"begin": []}
        for value in life if isinstance(life, list) else []:
            yield {"row": {"val_accuracy": value}}
            if worker.answer:
                break
        if life is None:
            yield None
        elif isinstance(life, str):
            yield {"failed": life, "fatal": life == "disk"}
        else:
            yield {"done": {"parameters": 10, "loss": 1.0}, "stopped": worker.answer}

    def next(self, timeout):
        worker, messages = self.turns.get(timeout=0)
        message = next(messages)
        if message is not None and not message.keys() & {"done", "failed"}:
            self.turns.put((worker, messages))
        return worker, message

    def done(self, worker, dead=False):
        return self.busy.pop(worker, None)

    def stop(self):
        self.stopped = True


@pytest.fixture
def sweep(tmp_path):
    """A function that runs a sweep and returns its scheduler."""

    def run(life, count=None, workers=2, pool=Pretended, options=None, timeout=None, **changes):
        where, study = directory.begin(schema.parse(RAW | changes), "s", tmp_path, **options or {})
        return Scheduler(where, study, pool(workers, life), count, timeout=timeout).run()

    return run


def steady(settings):
    return [settings["learning_rate"]]


def test_count_is_over_all_starts(sweep):
    assert sweep(steady, count=3).done == 3
    assert sweep(steady, count=5).done == 5
    assert sweep(steady, count=4).done == 5


def test_each_index_is_there_once_with_its_own_configuration(sweep):
    alone = {n: t.config for n, t in sweep(steady, count=6, workers=1).trials.items()}
    assert [*alone] == [*range(6)]
    assert len({str(config) for config in alone.values()}) == 6


def test_the_number_of_workers_changes_no_configuration(tmp_path):
    found = []
    for workers in (1, 4):
        where, study = directory.begin(schema.parse(RAW), f"w{workers}", tmp_path)
        scheduler = Scheduler(where, study, Pretended(workers, steady), 8).run()
        found.append({n: t.config for n, t in scheduler.trials.items()})
    assert found[0] == found[1]


def test_run_cap_holds_without_a_count(sweep):
    assert sweep(steady, run_cap=4).done == 4
    assert sweep(steady, run_cap=6, count=5).done == 5


def test_a_grid_ends(sweep):
    parameters = {"epochs": {"values": [1, 2, 3]}, "learning_rate": {"values": [0.1, 0.2]}}
    found = sweep(steady, method="grid", parameters=parameters)
    assert [(t.config["epochs"], t.config["learning_rate"]) for t in found.trials.values()] == [
        (epochs, lr) for epochs in (1, 2, 3) for lr in (0.1, 0.2)
    ]
    assert sweep(steady, method="grid", parameters=parameters).done == 6


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_an_exhausted_space_ends_the_sweep(sweep, method):
    parameters = {"epochs": {"values": [1, 2]}, "learning_rate": {"values": [0.1, 0.2]}}
    found = sweep(steady, count=10, method=method, parameters=parameters)
    assert found.done == 4
    assert found.ending == "each of the 4 configurations has been run"
    assert sweep(steady, count=10, method=method, parameters=parameters).done == 4


def test_what_failed_is_not_run_again(sweep):
    def life(settings):
        return "no" if settings["epochs"] == 1 else [1.0]

    parameters = {"epochs": {"values": [1, 2]}, "learning_rate": {"values": [0.1, 0.2]}}
    found = sweep(life, count=10, parameters=parameters)
    assert (found.done, found.counts["failed"]) == (2, 2)
    assert "each of the 4" in found.ending


def test_the_target_ends_the_sweep_and_a_later_start(sweep):
    metric = RAW["metric"] | {"target": 0.8}
    found = sweep(steady, count=500, workers=1, metric=metric)
    assert found.best.value >= 0.8
    assert [n for n, t in found.trials.items() if t.value >= 0.8] == [found.done - 1]
    assert sweep(steady, count=500, metric=metric).done == found.done


def test_the_value_is_the_best_finite_one_of_the_history(sweep):
    assert sweep(lambda s: [0.1, 0.7, float("nan"), 0.3], count=1).best.value == 0.7


def test_failures_are_recorded_and_the_sweep_goes_on(sweep):
    found = sweep(lambda s: [0.5] if s["learning_rate"] > 0.4 else "it diverged", count=8, workers=1)
    assert found.counts["finished"] == 8
    failed = [t for t in found.trials.values() if t.config["learning_rate"] <= 0.4]
    assert failed
    assert {(t.state, t.reason) for t in failed} == {("failed", "it diverged")}
    again = sweep(steady, count=8)
    assert {t.reason for t in again.trials.values() if t.state == "failed"} == {"it diverged"}


def test_three_failures_at_the_start_stop_the_sweep(sweep):
    with pytest.raises(InputError, match="The first 3 trials failed, the last one: it raised"):
        sweep(lambda s: "it raised", count=8, workers=1)


def test_a_metric_that_is_never_logged_says_which_are(sweep):
    with pytest.raises(InputError, match="val_accuracy was never logged; the figures of this run are loss, parameters"):
        sweep(lambda s: [], count=8, workers=1)


def test_a_metric_that_is_never_finite_is_a_failure(sweep):
    with pytest.raises(InputError, match="val_accuracy was never finite"):
        sweep(lambda s: [float("nan")], count=8, workers=1)


def test_what_no_trial_could_help_stops_at_once_and_fails_none(sweep):
    with pytest.raises(InputError, match="disk"):
        sweep(lambda s: "disk", count=8, workers=1)
    assert sweep(steady, count=8).counts == {"finished": 8}


def test_a_trial_whose_worker_dies_is_tried_three_times(sweep):
    lives = []

    def life(settings):
        lives.append(settings["learning_rate"])
        return None if settings["learning_rate"] == lives[0] else [0.5]

    found = sweep(life, count=3, workers=1)
    assert lives.count(lives[0]) == 3
    assert found.trials[0].state == "failed"
    assert "died 3 times, at last by signal 9" in found.trials[0].reason
    assert [t.state for t in found.trials.values()].count("finished") == 3


def test_each_configuration_has_its_repeats(sweep):
    found = sweep(steady, count=6, options={"repeats": 3})
    configs = [found.trials[n].config for n in range(6)]
    assert [config["seed"] for config in configs] == [0, 1, 2] * 2
    rates = [config["learning_rate"] for config in configs]
    assert rates == [rates[0]] * 3 + [rates[3]] * 3
    assert rates[0] != rates[3]


def test_a_space_is_exhausted_when_all_its_repeats_are_run(sweep):
    parameters = {"epochs": {"values": [1, 2]}, "learning_rate": {"value": 0.1}}
    found = sweep(steady, count=10, options={"repeats": 2}, parameters=parameters)
    assert (found.done, found.ending) == (4, "each of the 2 configurations has been run 2 times")


@pytest.mark.parametrize(("method", "draws"), [("random", 1), ("bayes", 0)])
def test_draws_that_find_nothing_new_end_the_sweep(method, draws, sweep, monkeypatch):
    """Where nearly all has been run, chance may not find the rest."""
    for name in ("PATIENCE", "NEAR"):
        monkeypatch.setattr(f"muslin.sweeps.search.{name}", draws)
    found = sweep(
        steady,
        count=9,
        method=method,
        parameters={"epochs": {"values": [1, 2, 3]}, "learning_rate": {"values": [0.1, 0.2, 0.3]}},
    )
    assert 0 < found.done < 9
    assert found.ending == f"{draws} draws gave no configuration that has not been run."


class Refusing(Pretended):
    """It cannot take the trials whose learning rate is below 0.4."""

    def give(self, trial, task):
        if trial.config["learning_rate"] < 0.4:
            raise InputError("there is no place for it")
        super().give(trial, task)


def test_a_trial_that_no_worker_can_take_has_failed(sweep):
    found = sweep(steady, count=8, workers=1, pool=Refusing)
    assert found.counts["finished"] == 8
    refused = [t for t in found.trials.values() if t.config["learning_rate"] < 0.4]
    assert refused
    assert {(t.state, t.reason) for t in refused} == {("failed", "there is no place for it")}


class Slow(Pretended):
    """Its first trial was taken up a thousand years ago, and goes on until its worker is killed."""

    def _messages(self, task, worker):
        if self.busy[worker].number > 0:
            yield from super()._messages(task, worker)
        worker.since = -3e10
        while True:
            yield {"begin": []}

    def next(self, timeout):
        for worker in self.busy:
            if worker.killed:
                self.turns.get()
                return worker, None
        return super().next(timeout)


def test_a_trial_that_takes_too_long_is_ended(sweep):
    found = sweep(steady, count=3, workers=1, pool=Slow, timeout=60)
    assert (found.trials[0].state, found.trials[0].reason) == (
        "failed",
        "It took longer than 60 seconds, and was ended.",
    )
    assert [found.trials[n].state for n in (1, 2, 3)] == ["finished"] * 3


def test_a_run_directory_that_is_there_is_not_shared(sweep, tmp_path):
    """In a directory of one machine the name is taken; at a database of many there is always the number."""
    one = sweep(steady, count=1).trials[0].run
    two = directory.begin(schema.parse(RAW), "other", tmp_path)
    (two[0].path / one).mkdir()
    assert Scheduler(*two, Pretended(1, steady), 1).run().trials[0].run == f"{one}-0"
    url = f"sqlite:///{tmp_path / 'all.db'}"
    many = directory.begin(schema.parse(RAW), "many", tmp_path, storage=url)
    assert Scheduler(*many, Pretended(1, steady), 1).run().trials[0].run == f"{one}-0"


def test_a_run_directory_that_cannot_be_made_is_said(sweep, monkeypatch):
    mkdir = Path.mkdir

    def full(self, *arguments, **options):
        if self.name.startswith("hl_"):
            raise OSError(28, "No space left on device")
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(InputError, match=r"Cannot make the run directory .*hl_.*: No space left on device\."):
        sweep(steady, count=1)


def test_a_row_without_the_metric_is_passed_over(sweep):
    class Sparse(Pretended):
        def _messages(self, task, worker):
            for message in super()._messages(task, worker):
                yield message
                if "row" in message:
                    yield {"row": {"loss": 0.1}}

    found = sweep(lambda s: [0.3, 0.4], count=1, pool=Sparse)
    assert (found.trials[0].history, found.best.value) == ([0.3, 0.4], 0.4)


def test_between_its_trials_it_says_that_it_lives(sweep, monkeypatch):
    beats, beat = [], Scheduler._beat
    monkeypatch.setattr(Scheduler, "_beat", lambda self: (beats.append(self.done), beat(self)))
    sweep(lambda s: [0.1] * 5, count=1)
    few = len(beats)
    monkeypatch.setattr("muslin.sweeps.scheduler.BEAT", -1)
    sweep(lambda s: [0.1] * 5, count=2)
    assert len(beats) - few > few + 5  # after each of its events


def test_what_another_has_ended_is_not_ended_again(tmp_path):
    """Its worker was thought dead: what it says in the end counts no more."""
    where, study = directory.begin(schema.parse(RAW), "s", tmp_path)
    scheduler = Scheduler(where, study, Pretended(1, steady), 1)
    scheduler._beat()
    scheduler._fill()
    scheduler.study.claims.holds = lambda number: False
    (worker,) = scheduler.pool.busy
    scheduler._handle(worker, {"done": {"val_accuracy": 0.9}, "stopped": None})
    assert study.trials()[0].state == "running"
    assert (scheduler.failures, scheduler.ending) == (0, None)


def test_hyperband_stops_the_worse_ones(sweep):
    found = sweep(
        lambda s: [s["learning_rate"]] * 10, count=12, workers=1, early_terminate={"type": "hyperband", "min_iter": 3}
    )
    assert found.counts["stopped_early"] > 3
    assert found.counts["stopped_early"] + found.counts["finished"] == 12
    for trial in found.trials.values():
        stopped = trial.state == "stopped_early"
        assert (len(trial.history) < 10) == stopped
        assert (trial.reason or "").startswith("hyperband:") == stopped
    assert found.best.state == "finished"


def test_histories_are_there_after_a_restart(sweep):
    options = {"workers": 1, "early_terminate": {"type": "hyperband", "min_iter": 3}}
    histories = {n: t.history for n, t in sweep(lambda s: [s["learning_rate"]] * 9, count=6, **options).trials.items()}
    again = sweep(lambda s: [s["learning_rate"]] * 9, count=12, **options)
    assert {n: again.trials[n].history for n in histories} == histories


def test_two_parents_share_the_work(tmp_path):
    """They take turns on one storage: no index twice, and the count is right to one."""
    raw = schema.parse(RAW)
    both = []
    for name in ("first", "second"):
        where, study = directory.begin(raw, "s", tmp_path)
        study.claims.owner = f"{name}:1:"  # as if on two machines
        both.append(Scheduler(where, study, Pretended(2, steady), 6))
    both[0]._beat()
    both[0]._fill()
    both[1].run()
    found = both[1].study.trials()
    assert sorted(found) == [*range(6)]
    assert [t.state for t in found.values()].count("finished") == 4
    both[0].run()
    assert [t.state for t in both[0].study.trials().values()] == ["finished"] * 6
    assert len({t.run for t in both[0].study.trials().values()}) == 6


def test_of_equals_the_one_with_fewer_parameters_is_best():
    metric = schema.Metric("loss")
    trials = [Trial(n, {}, "", state=state, value=value, parameters=p) for n, (state, value, p) in enumerate([
        ("finished", 0.5, 30), ("stopped_early", 0.5, 20), ("finished", 0.5, 20), ("failed", 0.1, 1),
    ])]  # fmt: skip
    assert best(trials, metric).number == 1


class Hearing(Pretended):
    """Programs whose epochs W&B's client tells, from a thread of its own."""

    def __init__(self, size, values):
        super().__init__(size, None)
        self.messages, self.values, self.scheduler = queue.SimpleQueue(), values, None

    def _messages(self, task, worker):
        run = task["run"].rpartition("/")[2].replace(",", "_")
        for value in self.values(task["config"]):
            self.scheduler.hear(run, {"val_accuracy": value})
            yield {"group": 7}
            if worker.ended:
                break
        yield {"done": {}, "stopped": worker.ended}

    def next(self, timeout):
        return super().next(timeout) if self.messages.empty() else self.messages.get()


def test_what_wandbs_client_logs_can_end_a_program(tmp_path):
    raw = RAW | {"program": "p.py", "early_terminate": {"type": "hyperband", "min_iter": 3}}
    where, study = directory.begin(schema.parse(raw), "s", tmp_path)
    pool = Hearing(1, lambda config: [config["learning_rate"]] * 10)
    scheduler = pool.scheduler = Scheduler(where, study, pool, 12)
    scheduler.run()
    stopped = [t for t in scheduler.trials.values() if t.state == "stopped_early"]
    assert len(stopped) > 3
    assert all(t.reason.startswith("hyperband:") and len(t.history) < 10 for t in stopped)


def test_what_was_not_heard_of_a_program_is_read_when_it_has_ended(tmp_path):
    where, study = directory.begin(schema.parse(RAW | {"program": "p.py"}), "s", tmp_path)
    scheduler = Scheduler(where, study, Pretended(1, steady), 1, live={"WANDB_BASE_URL": "here"})
    trial = scheduler._new(study.take(lambda number: True))
    worker = Worker()
    scheduler.pool.busy[worker] = trial
    scheduler._hear(trial.run.replace(",", "_"), {"val_accuracy": 0.1})
    write_json_lines(where.path / trial.run / "history.jsonl", [{"val_accuracy": v} for v in (0.1, 0.7, 0.3)])
    scheduler._handle(worker, {"done": {"iterations": 3}, "stopped": None})
    assert (trial.history, trial.value) == ([0.1, 0.7, 0.3], 0.7)


def test_settings_that_cannot_be_have_a_directory_all_the_same():
    """The trial then fails, and says why."""
    plan = schema.parse(RAW)
    assert run_name({"hidden_size": 0, "learning_rate": 0.25}, plan) == "hidden_size_0_learning_rate_0.25"
    assert run_name({"hidden_size": 4}, plan).startswith("hl_")
    assert run_name({}, schema.parse(RAW | {"program": "p.py"})) == "run"


class Dying:
    """An executor of one worker, which ends as it is told to: dies, has done its task, or cannot."""

    def __init__(self, ends):
        self.ends, self.busy, self.given, self.stopped = list(ends), {}, [], False

    free = property(lambda self: 1 - len(self.busy))

    def give(self, key, task):
        self.given.append(key)
        self.busy[Worker()] = key

    def next(self, timeout):
        return next(iter(self.busy)), self.ends.pop(0)

    def done(self, worker, dead=False):
        return self.busy.pop(worker, None)

    def stop(self):
        self.stopped = True


def test_of_other_work_what_died_is_done_again_three_times():
    rows, tasks = [], {"a": {}, "b": {}}
    done = {"done": {"epochs": 2}}
    begun = [{"begin": []}, {"row": {"epoch": 1}}]
    pool = Dying([*begun, None, *begun, {"group": 7}, {"row": {"epoch": 2}}, done, None, None, None])
    ended = Jobs(tasks, pool, epochs=lambda key, n: rows.append((key, n))).run()
    assert pool.given == ["a", "a", "b", "b", "b"]
    assert ended == {"a": done, "b": {"failed": "its worker died 3 times; see workers.log"}}
    assert sum(n for key, n in rows if key == "a") == 2  # an epoch that was done again is told once
    pool = Dying([{"failed": "the disk is full", "fatal": True}])
    with pytest.raises(InputError, match="the disk is full"):
        Jobs(tasks, pool).run()
    assert pool.stopped


@pytest.mark.parametrize("first", ["wandb", "worker"])
def test_a_program_that_prints_what_it_logs_says_each_value_once(tmp_path, first):
    """And what W&B's client says of others, or beside the metric, is nobody's."""
    raw = RAW | {"program": "p.py", "early_terminate": {"type": "hyperband", "min_iter": 2}}
    where, study = directory.begin(schema.parse(raw), "s", tmp_path)
    scheduler = Scheduler(where, study, Pretended(1, steady), 1)
    trial = scheduler._new(study.take(lambda number: True))
    worker = Worker()
    scheduler.pool.busy[worker] = trial
    says = {
        "wandb": lambda value: scheduler._hear(trial.run.replace(",", "_"), {"val_accuracy": value, "epoch": 1}),
        "worker": lambda value: scheduler._handle(worker, {"row": {"val_accuracy": value}}),
    }
    scheduler._hear("another", {"val_accuracy": 0.9})
    scheduler._hear(trial.run.replace(",", "_"), {"loss": 0.9})
    for value in (0.1, 0.2):
        for way in (first, *(says.keys() - {first})):
            says[way](value)
    assert trial.history == [0.1, 0.2]
