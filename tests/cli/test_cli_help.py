"""Help, version, and what is said to a line that names no command."""

import io
import json
from contextlib import redirect_stdout

import pytest

from muslin import __version__
from muslin.cli import COMMANDS, main
from muslin.runs.settings import CHOICES, Settings


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=str)
def test_help_lists_every_command(words, muslin):
    code, out, err = muslin(*words)
    assert (code, err) == (0, "")
    for name, text in COMMANDS.items():
        assert name in out
        assert text.split()[0] in out
    assert "muslin train --dataset digits" in out


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, flag, muslin, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = muslin(command, flag)
    assert (code, err) == (0, "")
    assert COMMANDS[command] in out
    assert f"Usage: muslin {command}" in out
    assert "--json" in out


@pytest.fixture(scope="module")
def train_help():
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit):
            main(["train", "--help"])
    out.seek(0)
    return out.read()


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_train_s_help_has_every_setting(setting, train_help):
    assert f"--{setting.replace('_', '-')} " in train_help
    assert Settings.model_fields[setting].description in train_help
    assert ", ".join(CHOICES.get(setting, [])) in train_help


def test_without_a_topic_all_are_listed(muslin):
    rows = json.loads(muslin("help", "--json").out)["rows"]
    assert COMMANDS.items() <= rows.items()
    assert rows.keys() - COMMANDS.keys() == {"environment", "exit-codes", "files", "SETTING"}
    assert rows["SETTING"].split(", ") == [*Settings.model_fields]
    assert json.loads(muslin("help", "train", "--json").out)["rows"] == {"train": COMMANDS["train"]}


def test_in_a_notebook_whose_output_is_no_terminal():
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as end:
        main(["help", "exit-codes"])
    assert end.value.code in (0, None)
    assert out.getvalue().startswith("0    done\n")


def test_version(muslin):
    assert muslin("--version") == (0, f"muslin {__version__}\n", "")


def test_a_terminal_without_greek_letters(child):
    code, out, err = child("train", "--help", PYTHONIOENCODING="ascii", COLUMNS="200")
    assert (code, err) == (0, "")
    assert "?, multiplied in each step by the schedule (default 0.001)" in out  # η


def test_the_reader_may_go_away(start):
    process = start("gradcheck", "--activation", "tanh", "--hidden-size", "2")
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert process.stderr.read() == ""
