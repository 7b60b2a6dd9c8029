import sqlite3

import pytest

from muslin.errors import InputError
from muslin.sweeps import directory, study
from muslin.sweeps.file import schema

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
    monkeypatch.setattr(study, "OPENING", 0.2)
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


def test_the_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is a run directory"):
        begin(tmp_path)
