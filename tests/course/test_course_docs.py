"""What docs/course.md names is there."""

import re
from pathlib import Path

import pytest

from muslin.cli import COMMANDS
from muslin.course.arguments import parser
from muslin.network import FeedForwardNeuralNetwork
from muslin.studies import STUDIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_links_lead_somewhere(path):
    assert (ROOT / "docs" / path).exists()


@pytest.mark.parametrize("file", sorted(set(re.findall(r"\b((?:sweeps|notebooks)/\w+\.\w+|\w+\.py)\b", PAGE))))
def test_files_that_are_named_are_there(file):
    there = {"feedForwardNeuralNet.py", "activations.py"}  # of 2021
    assert file in there or (ROOT / file).exists() or list((ROOT / "src" / "muslin").rglob(file))


@pytest.mark.parametrize("command", sorted(set(re.findall(r"muslin\s([a-z]+)", PAGE))))
def test_commands_are_there(command):
    assert command in COMMANDS


def test_all_studies_are_named():
    asked = STUDIES.keys() - {"recipe"}  # the course does not ask for recipes
    assert set(re.findall(r"`muslin study ([a-z-]+)`", PAGE)) == asked


@pytest.mark.parametrize("line", re.findall(r"python train\.py ([^`]*?)[`\n]", PAGE.replace("\\\n", "")))
def test_lines_for_train_py_are_understood(line):
    words = line.partition("#")[0].split()
    if words != ["--help"]:
        parser().parse_args(words)


def test_the_tables_are_those_of_the_class():
    rows = {"activations": "relu", "optimizers": "nadam", "initializers": "he", "losses": "cross_entropy"}
    assert set(re.findall(r"`FeedForwardNeuralNetwork\.(\w+)`", PAGE)) == rows.keys()
    assert all(row in getattr(FeedForwardNeuralNetwork, name) for name, row in rows.items())
