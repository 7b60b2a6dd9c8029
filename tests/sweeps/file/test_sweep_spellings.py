"""Hyperparameters and metrics by the names that course projects give them."""

import re

import pytest
from sweep_files import VALID, load

from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.sweeps.file.schema import parse
from muslin.sweeps.file.spellings import OTHER_NAMES, SETTINGS, metric, plain, problems, setting, settings


def sweep(parameters, **keys):
    return parse({"method": "random", "parameters": parameters} | keys)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_our_own_names(name):
    assert setting(name) == setting(name.upper()) == setting(name.replace("_", "-")) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "max_epochs": "epochs",
        "n_epoch": "epochs",
        "num_hidden_layers": "hidden_layers",
        "num_layers": "hidden_layers",
        "no_of_hidden_layers": "hidden_layers",
        "num_hidden_neurons": "hidden_size",
        "hiddenLayerSize": "hidden_size",
        "hidden_layer_sizes": "hidden_size",
        "weight_init": "initializer",
        "weight_initialisation": "initializer",
        "Weight Initialization": "initializer",
        "init_mode": "initializer",
        "lr": "learning_rate",
        "eta": "learning_rate",
        "learningRate": "learning_rate",
        "l2": "weight_decay",
        "L2_lamb": "weight_decay",
        "w_d": "weight_decay",
        "batch": "batch_size",
        "minibatch_size": "batch_size",
        "mini_batch_size": "batch_size",
        "optimiser": "optimizer",
        "activation_func": "activation",
        "loss_function": "loss",
        "beta_1": "beta1",
        "eps": "epsilon",
        "drop-out": "dropout",
    }.items(),
)
def test_other_names(name, expected):
    assert setting(name) == expected


def test_no_name_means_two_settings():
    names = [plain(other) for others in OTHER_NAMES.values() for other in others.split()]
    names += map(plain, Settings.model_fields)
    assert len(names) == len(set(names)) == len(SETTINGS)
    assert OTHER_NAMES.keys() <= Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("learnig_rate", "learning_rate"),
        ("num_hiden_layers", "hidden_layers"),
        ("weight_initalization", "initializer"),
        ("optimzer", "optimizer"),
        ("no_of_epoch", "epochs"),
    ],
)
def test_a_misspelt_name_has_its_nearest(name, near):
    with pytest.raises(InputError, match=f"Unknown hyperparameter '{name}'; choose from activation.*mean '{near}'"):
        setting(name)


def test_a_name_like_no_other_has_none():
    with pytest.raises(InputError) as error:
        setting("zzz")
    assert "mean" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "validationaccuracy": "val_accuracy",
        "validation_accuracy": "val_accuracy",
        "Validation Accuracy": "val_accuracy",
        "val_accuracy": "val_accuracy",
        "val_acc": "val_accuracy",
        "val.acc": "val_accuracy",
        "valid_acc": "val_accuracy",
        "val/acc": "val_accuracy",
        "accuracy_val": "val_accuracy",
        "best_val_accuracy": "val_accuracy",
        "val_loss": "val_loss",
        "validation loss": "val_loss",
        "loss": "loss",
        "train_loss": "loss",
        "training_loss": "loss",
        "Accuracy": "accuracy",
        "acc": "accuracy",
        "train_acc": "accuracy",
    }.items(),
)
def test_metrics(name, expected):
    assert metric(name) == expected


def test_an_unknown_metric_has_its_nearest():
    with pytest.raises(InputError, match=r"Unknown metric 'val_acuracy'; choose from accuracy, loss, .*'val_accuracy'"):
        metric("val_acuracy")


def test_a_configuration_as_settings():
    config = {
        "model": {"num_hidden_layers": 2, "num_hidden_neurons": 64, "weight_initialisation": "XAVIER"},
        "optimiser": "MGD",
        "loss": "CROSS",
        "lr": "1e-3",  # so YAML has it
        "wandb_project": "p",
    }
    found = Settings.read(settings(config))
    assert (found.hidden_layers, found.hidden_size, found.initializer) == (2, 64, "xavier")
    assert (found.optimizer, found.loss, found.learning_rate) == ("momentum", "cross_entropy", 1e-3)


@pytest.mark.parametrize(
    ("given", "expected"), [("MGD", "momentum"), ("NESTEROV", "nag"), ("RMSprop", "rmsprop"), ("Adam", "adam")]
)
def test_values_in_any_case(given, expected):
    assert Settings.read(settings({"optimizer": given})).optimizer == expected


def test_two_names_of_one_setting():
    with pytest.raises(InputError, match="lr and eta both mean learning_rate; give one of them"):
        settings({"lr": 1, "a": {"eta": 2}})


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
    assert problems(parse(load(VALID[name]))) == []


def test_all_problems_of_a_sweep_at_once():
    found = problems(
        sweep(
            {"optimzer": {"value": "adam"}, "g": {"parameters": {"foo": {"value": 1}}}, "wandb_entity": {"value": "e"}},
            metric={"name": "f1"},
        )
    )
    assert [sentence.partition(";")[0] for sentence in found] == [
        "metric.name: Unknown metric 'f1'",
        "parameters.g.foo: Unknown hyperparameter 'foo'",
        "parameters.optimzer: Unknown hyperparameter 'optimzer'",
    ]


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
        ({"lr": {"value": 1}, "eta": {"value": 1}}, "parameters: eta and lr both mean learning_rate"),
        (
            {"lr": {"value": 1}, "g": {"parameters": {"lr": {"value": 1}}}},
            "parameters: g.lr and lr both mean learning_rate",
        ),
    ],
)
def test_values_that_our_settings_refuse(parameters, expected):
    (found,) = problems(sweep(parameters))
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
    assert problems(sweep(parameters)) == []
