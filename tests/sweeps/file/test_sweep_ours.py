"""What keeps a sweep from training our own network, and how its words were read."""

import re

import pytest
from sweep_files import VALID, load

from muslin.sweeps.file.ours import doubts, problems, read
from muslin.sweeps.file.schema import InvalidSweep, parse


def sweep(parameters, **keys):
    return parse({"method": "random", "parameters": parameters} | keys)


@pytest.mark.parametrize(
    "name",
    [
        "course: the space of question 4",
        "course: sizes as lists",
        "course: hyperband with eta",
        "course: hyperband with min_iter and max_iter",
        "course: hyperband with lists",
        "documentation: first example",
    ],
)
def test_course_sweeps_train_our_network(name):
    assert problems(load(VALID[name])) == []


def test_all_problems_of_a_sweep_at_once():
    parameters = {
        "optimzer": {"value": "adam"},
        "g": {"parameters": {"foo": {"value": 1}}},
        "wandb_entity": {"value": "e"},
        "activation": {"values": ["relu", "relo", "tahn"]},
        "lr": {"values": [0.1, -1]},
        "epochs": {"value": 1},
    }
    found = problems(sweep(parameters, metric={"name": "f1"}).raw)
    assert [sentence.partition(";")[0] for sentence in found] == [
        "metric.name: Unknown metric 'f1'",
        "parameters.g.foo: Unknown hyperparameter 'foo'",
        "parameters.optimzer: Unknown hyperparameter 'optimzer'",
        "parameters.activation: Unknown activation 'relo'",
        "parameters.activation: Unknown activation 'tahn'",
        "parameters.lr: learning_rate is -1",
    ]


def test_problems_of_the_file_and_of_its_words_at_once(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "{method: radom, metric: {name: val_acuracy}, parameters: {lr: {min: 2, max: 1}, optimzer: {value: adam}, "
        "epochs: {values: [5, -1, x]}}}"
    )
    with pytest.raises(InvalidSweep) as error:
        read(path)
    found = [re.sub(r"(is|it must|; choose|must).*", "", problem) for problem in error.value.problems]
    assert found == [
        "Unknown method 'radom'",
        "parameters.lr.min ",
        "metric.name: Unknown metric 'val_acuracy'",
        "parameters.optimzer: Unknown hyperparameter 'optimzer'",
        "parameters.epochs: epochs ",
        "parameters.epochs: epochs ",
    ]


def test_a_space_that_is_not_ours():
    raw = {"gamma": {"min": 0.9, "max": 0.999}, "clip_eps": {"values": [0.1, 0.2]}, "lr": {"value": 0.1}}
    (found,) = problems(sweep(raw, metric={"name": "reward", "goal": "maximize"}).raw)
    assert found.startswith("reward, clip_eps, gamma: muslin's own network has no such settings.")
    assert "program: FILE" in found
    assert "muslin offline python SCRIPT" in found
    assert problems(sweep(raw, program="train.py").raw) == []
    assert problems(sweep(raw, command=["python", "train.py"]).raw) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"layers": {"values": [32, 64, 128]}}, "layers is taken for the number of hidden layers.*up to 128"),
        ({"hidden_layers": {"min": 1, "max": 64}}, "hidden_layers is taken for the number of hidden layers.*up to 64"),
        ({"decay": {"value": 0.1}}, "decay is taken for weight_decay"),
        ({"num_hidden": {"value": 3}}, "num_hidden is taken for hidden_layers"),
        ({"input_size": {"value": 784}}, "input_size is not used: the data set says how many"),
    ],
)
def test_an_unsure_reading_is_said(parameters, expected):
    (found,) = doubts(sweep(parameters))
    assert re.search(expected, found)


def test_a_sure_reading_is_not_said():
    names = {
        "no_hidden_layer": {"values": [3, 5]},
        "size_hidden": {"values": [32, 128]},
        "wandb_project": {"value": "p"},
    }
    assert doubts(sweep(names)) == []
    assert doubts(sweep({"layers": {"value": 100}}, program="p.py")) == []


def test_doubts_are_warnings(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("{method: random, parameters: {decay: {value: 0.1}}, mine: 1}")
    assert [warning.split()[0] for warning in read(path).warnings] == ["mine", "parameters.decay"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"optimizer": {"values": ["adam", "adma"]}}, "parameters.optimizer: Unknown optimizer 'adma'.*'adam'"),
        ({"lr": {"value": -1}}, "parameters.lr: learning_rate is -1.*positive"),
        ({"lr": {"min": -0.1, "max": 0.1}}, "parameters.lr: learning_rate is -0.0999"),
        ({"dropout": {"min": 0.0, "max": 1.5}}, "parameters.dropout: dropout is 1.*below 1"),
        ({"batch_size": {"min": 16.0, "max": 64.0}}, "parameters.batch_size: batch_size is .*whole number"),
        ({"epochs": {"distribution": "normal", "mu": 0.5}}, "parameters.epochs: epochs is 0.5.*whole number"),
        ({"hidden_size": {"values": [[64, 0], 3]}}, "parameters.hidden_size: hidden_size is .64, 0."),
        ({"input_size": {"values": [28, 784]}}, "parameters.input_size cannot be searched: the data set says"),
        ({"lr": {"value": 1}, "eta": {"value": 1}}, "parameters: eta and lr both mean learning_rate"),
        (
            {"lr": {"value": 1}, "g": {"parameters": {"lr": {"value": 1}}}},
            "parameters: g.lr and lr both mean learning_rate",
        ),
    ],
)
def test_values_that_our_settings_refuse(parameters, expected):
    (found,) = problems(sweep(parameters).raw)
    assert re.search(expected, found)


@pytest.mark.parametrize(
    "parameters",
    [
        {"lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1}},
        {"batch_size": {"distribution": "q_log_uniform_values", "min": 16, "max": 256, "q": 16.0}},
        {"hidden_layers": {"min": 0, "max": 5}},
        {"weight_decay": {"distribution": "log_normal", "mu": -9}},
    ],
)
def test_values_that_our_settings_take(parameters):
    assert problems(sweep(parameters).raw) == []
