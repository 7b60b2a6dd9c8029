"""A sweep as agents see it, through kills of the server at every point."""

import json
import threading
import time

import pytest

from muslin.errors import InputError
from muslin.sweeps.server import trials


def test_a_grid_is_run_once_and_then_agents_may_go(door):
    sweep = door.sweep()
    agent, seen = door.agent(sweep), []
    while (command := door.beat(agent))["type"] == "run":
        run = command["run_id"]
        seen.append(command["args"]["x"]["value"])
        assert command["args"]["y"] == {"value": "constant"}
        assert door.beat(agent, run) is None
        door.begin(run, sweep)
        door.log(run, 0, 3.0, 1.0, 2.0)
        door.end(run)
    assert seen == [1, 2, 3]
    assert command == {"type": "exit"}
    assert [(t.state, t.value) for t in door.trials(sweep).values()] == [("finished", 1.0)] * 3
    assert door.state(sweep) == "FINISHED"


@pytest.mark.parametrize("kill", ["told", "begun", "logged", "ended"])
def test_a_kill_loses_nothing_and_doubles_nothing(door, kill):
    """The agent says what it has; the run goes on as if nothing had been."""
    sweep = door.sweep()
    agent = door.agent(sweep)
    run = door.beat(agent)["run_id"]
    if kill == "told":  # it got the answer
        door.again()
    door.begin(run, sweep)
    if kill == "begun":
        door.again()
        assert door.beat(agent, run) is None
    door.log(run, 0, 5.0, 4.0)
    if kill == "logged":
        door.again()
        door.log(run, 0, 5.0, 4.0)  # the answer was lost, so the client sends it again
    door.log(run, 2, 3.0)
    door.end(run)
    if kill == "ended":
        door.again()
        door.end(run)
    assert door.beat(agent)["args"]["x"]["value"] == 2
    first = door.trials(sweep)[0]
    assert (first.state, first.value, first.run) == ("finished", 3.0, run)
    rows = [json.loads(line) for line in (door.root / "p" / sweep / run / "history.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows] == [5.0, 4.0, 3.0]


def test_an_answer_that_a_kill_took_is_given_again(door):
    sweep = door.sweep()
    agent = door.agent(sweep)
    lost = door.beat(agent)
    door.again()
    assert door.beat(agent) == lost
    assert len(door.trials(sweep)) == 1


def test_a_program_that_never_calls_init_is_a_failed_trial(door):
    sweep = door.sweep()
    agent = door.agent(sweep)
    first = door.beat(agent)["run_id"]
    assert door.beat(agent)["run_id"] != first
    assert door.trials(sweep)[0].state == "failed"
    assert "wandb.init" in door.trials(sweep)[0].reason


def test_the_reason_of_a_failure_is_its_exception(door):
    sweep = door.sweep()
    agent = door.agent(sweep)
    run = door.beat(agent)["run_id"]
    door.begin(run, sweep)
    lines = ["2026-01-01T00:00:00.000000 hello", "ERROR 2026-01-01T00:00:00.000000 Traceback (most recent call last):"]
    lines += ["ERROR 2026-01-01T00:00:00.000000   File x", "ERROR 2026-01-01T00:00:00.000000 ValueError: no such lr"]
    lines += ["ERROR 2026-01-01T00:00:00.000000 wandb: Find logs at: somewhere"]
    door.desk.stream("local", "p", run, {"files": {"output.log": {"offset": 0, "content": lines}}})
    door.end(run, 1)
    trial = door.trials(sweep)[0]
    assert (trial.state, trial.reason) == ("failed", "ValueError: no such lr")


def test_hyperband_stops_the_worse_run(door):
    sweep = door.sweep(early_terminate={"type": "hyperband", "min_iter": 2, "eta": 2})
    agents = [door.agent(sweep) for _ in range(2)]
    runs = [door.beat(agent)["run_id"] for agent in agents]
    for run in runs:
        door.begin(run, sweep)
    door.log(runs[0], 0, 1.0, 0.5)
    door.log(runs[1], 0, 1.0, 0.9)
    assert door.beat(agents[0], runs[0]) is None
    assert door.beat(agents[1], runs[1]) is None  # of two, the threshold is the worse one: ties survive
    third = door.agent(sweep)
    run = door.beat(third)["run_id"]
    door.begin(run, sweep)
    door.log(run, 0, 5.0, 5.0)
    stop = {"type": "stop", "run_id": run}
    assert door.beat(third, run) == stop
    door.again()
    assert door.beat(third, run) == stop, "a kill forgets no stop"
    door.beat(third)  # its process is gone, without a last word
    trial = door.trials(sweep)[2]
    assert (trial.state, trial.value) == ("stopped_early", 5.0)
    assert trial.reason.startswith("hyperband: 5 at iteration 2 is above")
    assert door.desk.run("local", "p", run)["state"] == "killed"


def test_stop_lets_runs_end_and_cancel_stops_them(door):
    state = "mutation($s: ID, $t: String) { upsertSweep(input: {id: $s, state: $t}) { sweep { name } } }"
    for word, expected in (("FINISHED", None), ("CANCELED", "stop")):
        sweep = door.sweep()
        agent = door.agent(sweep)
        run = door.beat(agent)["run_id"]
        door.begin(run, sweep)
        door.ask(state, s=sweep, t=word)
        command = door.beat(agent, run)
        assert (command and command["type"]) == expected
        assert door.beat(door.agent(sweep)) == {"type": "exit"}


def test_a_paused_sweep_gives_nothing_until_it_goes_on(door):
    state = "mutation($s: ID, $t: String) { upsertSweep(input: {id: $s, state: $t}) { sweep { name } } }"
    sweep = door.sweep()
    agent = door.agent(sweep)
    door.ask(state, s=sweep, t="PAUSED")
    assert door.beat(agent) is None
    door.ask(state, s=sweep, t="RUNNING")
    assert door.beat(agent)["type"] == "run"


def test_run_cap_counts_what_succeeds(door):
    sweep = door.sweep(method="random", parameters={"x": {"min": 0.0, "max": 1.0}}, run_cap=2)
    agent = door.agent(sweep)
    codes, n = iter([1, 0, 0]), 0
    while (command := door.beat(agent))["type"] == "run":
        door.begin(command["run_id"], sweep)
        door.log(command["run_id"], 0, 1.0)
        door.end(command["run_id"], next(codes))
        n += 1
    assert n == 3


def test_the_target_ends_the_sweep(door):
    sweep = door.sweep(metric={"name": "loss", "goal": "minimize", "target": 0.5})
    agent = door.agent(sweep)
    run = door.beat(agent)["run_id"]
    door.begin(run, sweep)
    door.log(run, 0, 0.4)
    door.end(run)
    assert door.beat(agent) == {"type": "exit"}
    assert door.state(sweep) == "FINISHED"


def test_the_metric_counts_from_the_summary_and_from_inside(door):
    sweep = door.sweep(metric={"name": "val.loss", "goal": "minimize"})
    agent = door.agent(sweep)
    for name in ("history", "summary"):
        run = door.beat(agent)["run_id"]
        door.begin(run, sweep)
        row = json.dumps({"val": {"loss": 0.25}, "_step": 0})
        files = {"wandb-history.jsonl": {"offset": 0, "content": [row]}}
        files = files if name == "history" else {"wandb-summary.json": {"offset": 0, "content": [row]}}
        door.desk.stream("local", "p", run, {"files": files})
        door.end(run)
    assert [t.value for t in door.trials(sweep).values()] == [0.25, 0.25]


def test_what_a_silent_agent_had_goes_to_another(door, monkeypatch):
    sweep = door.sweep()
    silent, other = door.agent(sweep), door.agent(sweep)
    run = door.beat(silent)["run_id"]
    now = time.time()
    door.desk.started = now - 1000
    monkeypatch.setattr(trials.time, "time", lambda: now + trials.UNBEGUN + 1)
    command = door.beat(other)
    assert command["run_id"] == run
    assert door.beat(silent, run) is None or door.beat(silent, run)["type"] == "stop"


def test_bayes_after_a_kill_knows_what_was_found(door):
    sweep = door.sweep(method="bayes", parameters={"x": {"min": 0.0, "max": 1.0}})
    agent = door.agent(sweep)
    for _ in range(3):
        run = door.beat(agent)["run_id"]
        door.begin(run, sweep)
        door.log(run, 0, 1.0)
        door.end(run)
    door.again()
    led = door.desk.sweep(sweep)
    assert [t.state.name for t in led.search.study.trials] == ["COMPLETE"] * 3


def test_a_file_that_is_wrong_is_refused_with_every_problem(door):
    from muslin.errors import InputError

    with pytest.raises(InputError, match=r"(?s)method.*parameters"):
        door.desk.create_sweep("local", "p", {"method": "magic", "parameters": {"x": {"min": 3, "max": 1}}})


def test_agents_runs_and_readers_at_once(door):
    """No lock waits for another in a ring, no trial is given twice, no row is lost."""
    sweep = door.sweep(method="random", parameters={"x": {"min": 0.0, "max": 1.0}}, run_cap=12)
    begun, over = [], threading.Event()

    def work():
        agent = door.agent(sweep)
        while (command := door.beat(agent)) and command["type"] == "run":
            run = command["run_id"]
            begun.append(run)
            door.begin(run, sweep)
            for offset in range(0, 20, 2):
                door.log(run, offset, 1.0, 2.0)
                door.beat(agent, run)
            door.end(run)

    def read():
        query = """query($s: String) { project(name: "p") { sweep(sweepName: $s) { bestLoss
          runs { edges { node { historyLineCount historyTail summaryMetrics } } } } } }"""
        while not over.is_set():
            door.ask(query, s=sweep)

    workers, reader = [threading.Thread(target=work, daemon=True) for _ in range(4)], threading.Thread(target=read)
    for thread in (*workers, reader):
        thread.start()
    for thread in workers:
        thread.join(60)
    over.set()
    reader.join(60)
    assert not any(thread.is_alive() for thread in (*workers, reader))
    assert len(begun) == len(set(begun)) == 12
    assert all(t.history == [1.0, 2.0] * 10 for t in door.desk.sweep(sweep).trials.values())
    assert [t.state for t in door.trials(sweep).values()] == ["finished"] * 12


@pytest.mark.parametrize("what", ["start", "end"])
def test_a_disk_that_fails_once_loses_no_trial(door, monkeypatch, what):
    """What could not be stored is not taken for done: asked or told again, it is."""
    sweep = door.sweep()
    agent = door.agent(sweep)
    study = door.desk.sweep(sweep).study

    def fails(*_):
        raise InputError("The storage fails: disk I/O error.") from OSError(5, "Input/output error")

    seen = []
    for _ in range(3):
        if what == "start":
            with monkeypatch.context() as patch:
                patch.setattr(study, "start", fails)
                with pytest.raises(InputError, match="fails"):
                    door.beat(agent)
        command = door.beat(agent)
        run = command["run_id"]
        seen.append(command["args"]["x"]["value"])
        door.begin(run, sweep)
        door.log(run, 0, float(seen[-1]))
        if what == "end":
            with monkeypatch.context() as patch:
                patch.setattr(study, "end", fails)
                with pytest.raises(InputError, match="fails"):
                    door.end(run)
        door.end(run)
    assert door.beat(agent) == {"type": "exit"}
    assert seen == [1, 2, 3]
    assert [(t.state, t.value) for t in door.trials(sweep).values()] == [("finished", float(x)) for x in seen]
