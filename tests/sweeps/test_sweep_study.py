import json
import sqlite3
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest

from muslin.errors import InputError
from muslin.files import write_json
from muslin.sweeps import directory, start, storage, trial_store
from muslin.sweeps.analysis import analyse
from muslin.sweeps.file import schema
from muslin.sweeps.search import Asked

RAW = {
    "method": "random",
    "metric": {"name": "val_loss"},
    "parameters": {"epochs": {"values": [1, 2]}, "lr": {"min": 0.1, "max": 0.2}},
}


def begin(tmp_path, raw=RAW, **options):
    return directory.begin(schema.parse(raw), "s", tmp_path, **options)


def changed(**parameters):
    return RAW | {"parameters": RAW["parameters"] | parameters}


def test_a_sweep_goes_on_where_it_is(tmp_path):
    begin(tmp_path)
    where, found = begin(tmp_path)
    assert where.path == tmp_path / "s"
    assert found.trials() == {}


@pytest.mark.parametrize(
    ("raw", "options", "difference"),
    [
        (changed(epochs={"values": [1, 3]}), {}, r"parameters\.epochs\.values was \[1, 2\], is \[1, 3\]"),
        (changed(dropout={"value": 0.1}), {}, r"parameters\.dropout is new"),
        (RAW | {"parameters": {"epochs": {"values": [1, 2]}}}, {}, r"parameters\.lr is gone"),
        (RAW | {"metric": {"name": "val_loss", "goal": "maximize"}}, {}, r"metric\.goal is new"),
        (RAW, {"seed": 3}, "seed was 0, is 3"),
        (RAW | {"method": "bayes"}, {}, 'method was "random", is "bayes"'),
    ],
)
def test_a_changed_sweep_file_is_refused_with_the_difference(tmp_path, raw, options, difference):
    begin(tmp_path)
    with pytest.raises(InputError, match=difference):
        begin(tmp_path, raw, **options)


def test_what_does_not_change_its_meaning_may_change(tmp_path):
    begin(tmp_path)
    where, _ = begin(tmp_path, RAW | {"run_cap": 5, "description": "more"})
    assert directory.SweepDirectory(where.path).sweep.run_cap == 5


def test_the_seed_is_kept(tmp_path):
    begin(tmp_path, seed=5)
    where, _ = begin(tmp_path)
    assert where.facts["definition"]["seed"] == 5


def test_a_storage_of_another_sweep_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'all.db'}"
    directory.begin(schema.parse(RAW), "s", tmp_path / "a", storage=url)
    directory.begin(schema.parse(RAW), "s", tmp_path / "b", storage=url)  # the same sweep from another machine
    with pytest.raises(InputError, match=r"another sweep named 's' \(parameters.epochs.value"):
        directory.begin(schema.parse(changed(epochs={"value": 1})), "s", tmp_path / "c", storage=url)


def test_a_sweep_whose_storage_is_gone_is_not_begun_again(tmp_path):
    where, _ = begin(tmp_path)
    for file in where.path.glob("study.db*"):
        file.unlink()
    with pytest.raises(InputError, match=r"study\.db.*is gone"):
        begin(tmp_path)


def test_another_storage_than_before_is_refused(tmp_path):
    begin(tmp_path)
    with pytest.raises(InputError, match=r"is stored at study\.db in its directory"):
        begin(tmp_path, storage=f"sqlite:///{tmp_path / 'other.db'}")


def test_a_locked_storage_is_said(tmp_path, monkeypatch):
    where, _ = begin(tmp_path)
    monkeypatch.setattr(storage, "OPENING", 0.2)
    other = sqlite3.connect(where.path / "study.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="another program holds it locked"):
        begin(tmp_path)
    other.close()


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("nonsense", "must be a database's URL"),
        ("sqlite:////nowhere/at/all/x.db", "there is no folder"),
        ("oracle://u:secret@host/db", "needs a driver|cannot be used"),
    ],
)
def test_a_storage_that_cannot_be_used_is_said_without_its_password(tmp_path, url, what):
    with pytest.raises(InputError, match=what) as caught:
        begin(tmp_path, storage=url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "x.db").write_text("no database " * 100)
    with pytest.raises(InputError, match="file is not a database"):
        begin(tmp_path, storage=f"sqlite:///{tmp_path / 'x.db'}")


def test_a_folder_is_no_storage(tmp_path):
    with pytest.raises(InputError, match=r"cannot be used: it is not a regular file\."):
        begin(tmp_path / "runs", storage=f"sqlite:///{tmp_path}")


def test_where_no_directory_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot make the sweep directory .*: Not a directory\."):
        begin(tmp_path / "file")
    with pytest.raises(InputError, match=r"There is no sweep directory .*none\."):
        directory.SweepDirectory(tmp_path / "none").facts  # noqa: B018


def test_a_storage_with_a_password_is_asked_for_again(tmp_path):
    where, _ = begin(tmp_path)
    facts = json.loads((where.path / "sweep.json").read_text())
    write_json(where.path / "sweep.json", facts | {"storage": "postgresql://ann:***@host/db"})
    with pytest.raises(InputError, match=r"ann:\*\*\*@host/db; give --storage with the password"):
        directory.SweepDirectory(where.path).study_to_read()


def test_a_storage_says_what_sweeps_it_has(tmp_path):
    where, _ = begin(tmp_path, storage=f"sqlite:///{tmp_path / 'all.db'}")
    facts = json.loads((where.path / "sweep.json").read_text())
    write_json(where.path / "sweep.json", facts | {"name": "t"})
    with pytest.raises(InputError, match=r"has no sweep 't'; it has s\."):
        directory.SweepDirectory(where.path).study_to_read()


def test_a_storage_of_another_version_of_optuna(tmp_path):
    where, _ = begin(tmp_path)
    with closing(sqlite3.connect(where.path / "study.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
        connection.execute("UPDATE version_info SET schema_version = 1")
        connection.commit()
    with pytest.raises(InputError, match=r"The storage .*study\.db cannot be used: "):
        directory.SweepDirectory(where.path).study_to_read()


def test_a_trial_that_another_program_put_there_is_none_of_ours(tmp_path):
    import optuna

    where, study = begin(tmp_path)
    study.start(0, Asked({"epochs": 1, "lr": 0.1}, {}, {}), "run")
    theirs = optuna.load_study(study_name="s", storage=f"sqlite:///{where.path / 'study.db'}")
    theirs.add_trial(optuna.trial.create_trial(value=0.0))
    assert [trial.run for trial in study.trials().values()] == ["run"]


def test_of_several_that_make_the_same_tables_the_slower_try_again(monkeypatch):
    import sqlalchemy as sql

    monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)
    errors = [
        sql.exc.OperationalError("", {}, Exception("table studies already exists")),
        sql.exc.IntegrityError("", {}, Exception("unique")),
        sql.exc.ProgrammingError("", {}, Exception("exists")),
    ]

    def make():
        if left:
            raise left.pop()
        return "made"

    left = [*errors]
    assert storage.together(make) == "made"
    left = [*errors]
    with pytest.raises(sql.exc.OperationalError):
        storage.together(make, tries=3)
    left = [sql.exc.OperationalError("", {}, Exception("disk I/O error"))]
    with pytest.raises(sql.exc.OperationalError, match="disk"):
        storage.together(make)


class Busy:
    """A connection whose file is locked some times, and then as it is told."""

    def __init__(self, times, error=None):
        self.times, self.error = times, error

    def execute(self, text):
        self.times -= 1
        if self.times >= 0:
            raise sqlite3.OperationalError("database is locked")
        if self.error:
            raise self.error
        return SimpleNamespace(fetchone=lambda: ("wal",))


def test_a_new_file_that_others_open_too_is_waited_for(monkeypatch):
    assert storage._write_ahead(Busy(3)) == ("wal",)
    with pytest.raises(sqlite3.OperationalError, match="disk"):
        storage._write_ahead(Busy(1, sqlite3.OperationalError("disk I/O error")))
    monkeypatch.setattr(storage, "OPENING", 0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        storage._write_ahead(Busy(10**9))


def test_a_storage_in_an_archive_that_cannot_be_written(tmp_path, monkeypatch):
    """There SQLite cannot make the files that it needs beside one that is written ahead, and opens it as it is."""
    where, study = begin(tmp_path)
    study.storage._backend.engine.dispose()
    connect, tried = sqlite3.connect, []

    class Archive(sqlite3.Connection):
        def execute(self, text):
            raise sqlite3.OperationalError("unable to open database file")

    def opened(address, **options):
        tried.append(str(address).rpartition("?")[2])
        return connect(address, **options, **{"factory": Archive} if tried[-1] == "mode=ro" else {})

    monkeypatch.setattr(storage.sqlite3, "connect", opened)
    assert "immutable=1" in storage._read_only(where.path / "study.db")
    assert tried == ["mode=ro", "immutable=1"]


def test_a_sweep_without_trials_has_no_pictures(tmp_path):
    where, study = begin(tmp_path)
    assert analyse(where, study) == []
    assert not (where.path / "analysis.json").exists()


def test_the_trackers_of_a_sweep_are_one_group(tmp_path):
    raw = RAW | {"project": "course", "metric": {"name": "validation_accuracy", "goal": "maximize"}}
    where, _ = begin(tmp_path, raw)
    assert start.tracker_arguments("none", where) is None
    assert start.tracker_arguments("wandb", where) == {
        "name": "wandb",
        "project": "course",
        "entity": None,
        "group": "s",
        "also": {"validation_accuracy": "val_accuracy"},
    }


def test_the_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is a run directory"):
        begin(tmp_path)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_reading_writes_nothing(tmp_path):
    where, begun = begin(tmp_path)
    begun.start(0, Asked({"epochs": 1, "lr": 0.1}, {}, {}), "run")
    begun.storage._backend.engine.dispose()
    before = content(tmp_path)
    found = directory.SweepDirectory(where.path).study_to_read()
    assert found.trials()[0].run == "run"
    with pytest.raises(InputError, match="readonly"):
        found.start(1, Asked({}, {}, {}), "other")
    found.storage._backend.engine.dispose()
    assert {path.name: text for path, text in content(tmp_path).items() if path in before} == {
        path.name: text for path, text in before.items()
    }


def test_a_hostile_sweep_json_cannot_have_another_database_written(tmp_path):
    where, _ = begin(tmp_path / "a")
    victim = tmp_path / "victim.db"
    with closing(sqlite3.connect(victim)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = victim.read_bytes()
    facts = json.loads((where.path / "sweep.json").read_text())
    write_json(where.path / "sweep.json", facts | {"storage": f"sqlite:///{victim}"})
    for use in (directory.SweepDirectory(where.path).study_to_read, lambda: begin(tmp_path / "a")):
        with pytest.raises(InputError, match=r"victim\.db has no sweep"):
            use()
        assert victim.read_bytes() == before
        assert [*tmp_path.glob("victim*")] == [victim]


def test_a_typo_in_the_storage_creates_nothing(tmp_path):
    where, _ = begin(tmp_path / "a")
    with pytest.raises(InputError, match=r"There is no storage .*typo\.db"):
        directory.SweepDirectory(where.path).study_to_read(f"sqlite:///{tmp_path / 'typo.db'}")
    assert not [*tmp_path.glob("typo*")]


@pytest.mark.parametrize("name", ["../../x", "/etc", "..", ".", "a/b", "", 3, "a\0b"])
def test_a_run_directory_is_one_folder_s_name(tmp_path, name):
    where, begun = begin(tmp_path)
    begun.start(0, Asked({"epochs": 1, "lr": 0.1}, {}, {}), name)
    with pytest.raises(InputError, match="must be one folder's name"):
        directory.SweepDirectory(where.path).study_to_read().trials()


@pytest.mark.parametrize(
    ("url", "masked"),
    {
        "postgresql+psycopg://ann:secret@host/db": "postgresql+psycopg://ann:***@host/db",
        "postgresql://ann:sec@ret/x@host:5432/db": "postgresql://ann:***@host:5432/db",
        "postgresql://ann:secret/db": "postgresql://ann:***/db",
        "postgresql://host:5432/db?user=ann&password=secret": "postgresql://host:5432/db?user=ann&password=***",
        "mysql://host/db?sslpassword=secret&ssl=1": "mysql://host/db?sslpassword=***&ssl=1",
        "postgresql://ann:secret@h:notaport/x": "postgresql://ann:***@h:notaport/x",
        "sqlite:///a/b.db": "sqlite:///a/b.db",
        "postgresql://[::1]:5432/db": "postgresql://[::1]:5432/db",
    }.items(),
)
def test_a_password_is_never_shown(tmp_path, url, masked, monkeypatch):
    from muslin.cli.options import same_command

    assert storage.shown(url) == masked
    monkeypatch.setattr("sys.argv", ["muslin", "sweep", "s.yaml", "--storage", url, f"--storage={url}"])
    assert "sec" not in same_command()
    if "notaport" in url:
        with pytest.raises(InputError, match="must be a database's URL") as caught:
            begin(tmp_path, storage=url)
        assert "secret" not in str(caught.value)


def test_a_password_in_the_query_is_not_stored(tmp_path, monkeypatch):
    real = f"sqlite:///{tmp_path / 's.db'}"
    monkeypatch.setattr(trial_store, "writable", lambda url, writable=storage.writable: writable(real))
    begin(tmp_path, storage="postgresql://host/db?password=secret")
    assert "secret" not in (tmp_path / "s" / "sweep.json").read_text()


def test_many_that_begin_at_once(tmp_path):
    """Threads here, machines and processes elsewhere: each makes the tables that are not there yet."""
    url, barrier, failures = f"sqlite:///{tmp_path / 's.db'}", threading.Barrier(8), []

    def open_it():
        barrier.wait()
        try:
            trial_store.TrialStore.open(url, "s", schema.Metric("loss"), {"file": {}}, new=True).claims  # noqa: B018
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    "change",
    [
        {"definition": None},
        {"definition": {"file": {}, "seed": "x"}},
        {"storage": 3},
        {"file": []},
        {"name": "../x"},
        {"name": None},
    ],
)
def test_a_changed_sweep_json_is_said(tmp_path, change):
    where, _ = begin(tmp_path)
    facts = json.loads((where.path / "sweep.json").read_text())
    write_json(where.path / "sweep.json", facts | change)
    with pytest.raises(InputError, match=rf"sweep\.json is damaged.*{next(iter(change))}"):
        directory.SweepDirectory(where.path).facts  # noqa: B018
    write_json(where.path / "sweep.json", {key: value for key, value in facts.items() if key not in change})
    if change.keys() != {"storage"}:
        with pytest.raises(InputError, match=r"sweep\.json is damaged"):
            begin(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET state = 'COMPLETED'",
        "UPDATE trials SET datetime_start = 'yesterday'",
        "UPDATE trial_user_attributes SET value_json = '{'",
        "UPDATE trial_user_attributes SET value_json = '[1]'",
        "UPDATE trial_user_attributes SET value_json = '{}'",
        "UPDATE study_directions SET direction = 'UP'",
        "UPDATE study_user_attributes SET value_json = 'x'",
        "DROP TABLE trial_params",
    ],
)
def test_a_damaged_database_is_said(tmp_path, statement):
    where, begun = begin(tmp_path)
    begun.start(0, Asked({"epochs": 1, "lr": 0.1}, {}, {}), "run")
    begun.storage._backend.engine.dispose()
    with closing(sqlite3.connect(where.path / "study.db")) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(InputError, match=r"The storage .* (is damaged|fails|has another)"):
        directory.SweepDirectory(where.path).study_to_read().trials()
