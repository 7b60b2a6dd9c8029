"""Hyperparameters and metrics by the names that course projects give them."""

import pytest

from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.sweeps.file.spellings import NAMES, SETTINGS, metric, reading, setting, settings


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
        # of public course repositories
        "no_hidden_layer": "hidden_layers",
        "number_hidden_layers": "hidden_layers",
        "hidden_layer": "hidden_layers",
        "size_hidden": "hidden_size",
        "neurons_per_hidden_layer": "hidden_size",
        "neurons_in_each_hidden_layers": "hidden_size",
        "fc_layer_size": "hidden_size",
        "initialization_type": "initializer",
        "initialization_technique": "initializer",
        "weight_init_method": "initializer",
        "init_strategy": "initializer",
        "hidden_activations": "activation",
        "optimizer_technique": "optimizer",
        "losses": "loss",
        "l2_coeff": "weight_decay",
        "beta_value": "beta",
        # of the same rules
        "layers_hidden": "hidden_layers",
        "hiddenNeuronsCount": "hidden_size",
        "WeightInitialisationStrategy": "initializer",
        "optimizername": "optimizer",
        "initlr": "learning_rate",
        "regularisation_strength": "weight_decay",
        "no_of_epoch": "epochs",
        "beta_1": "beta1",
        "eps": "epsilon",
        "drop-out": "dropout",
    }.items(),
)
def test_other_names(name, expected):
    assert setting(name) == expected


def test_no_name_means_two_settings():
    others = [(frozenset(name.split()), ours) for ours, names in NAMES.items() for name in names]
    assert all(SETTINGS[roots] == ours for roots, ours in others)
    assert all(setting(ours) == ours for ours in NAMES)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("learnig_rate", "learning_rate"),
        ("num_hiden_layers", "hidden_layers"),
        ("weight_initalization", "initializer"),
        ("optimzer", "optimizer"),
        ("no_of_epochhs", "epochs"),
        ("num_batches", "batch_size"),  # a number of batches is no size of them
    ],
)
def test_a_misspelt_name_has_its_nearest(name, near):
    with pytest.raises(InputError, match=f"Unknown hyperparameter '{name}'; choose from activation.*mean '{near}'"):
        setting(name)


@pytest.mark.parametrize("name", ["zzz", "gamma", "clip_eps", "keep_prob", "kernel_size", "decay_rate", ""])
def test_a_name_like_no_other_has_none(name):
    with pytest.raises(InputError) as error:
        setting(name)
    assert "mean" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "guess"), [("decay", "weight_decay"), ("n_hidden", "hidden_layers"), ("size", "hidden_size")]
)
def test_a_guess_is_one(name, guess):
    assert reading(name) == (guess, False)
    assert reading(guess) == (guess, True)


@pytest.mark.parametrize("name", ["input_size", "output_size", "n_inputs", "num_classes", "wandb_project", "entity"])
def test_what_is_no_hyperparameter_is_passed_over(name):
    assert setting(name) is None
    assert settings({name: 784, "lr": 0.1}) == {"learning_rate": 0.1}


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
        "avg_valid_acc": "val_accuracy",
        "validation/epoch_acc": "val_accuracy",
        "valAccuracy": "val_accuracy",
        "mean_loss": "loss",
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
    ("given", "expected"),
    {
        "MGD": "momentum",
        "NESTEROV": "nag",
        "RMSprop": "rmsprop",
        "Adam": "adam",
        "vgd": "sgd",
        "stochastic": "sgd",
        "gd": "sgd",
        "sgdm": "momentum",
        "Stochastic Gradient Descent": "sgd",
        "NesterovAcceleratedGradient": "nag",
    }.items(),
)
def test_values_in_any_case(given, expected):
    assert Settings.read(settings({"optimizer": given})).optimizer == expected


def test_two_names_of_one_setting():
    with pytest.raises(InputError, match="lr and eta both mean learning_rate; give one of them"):
        settings({"lr": 1, "a": {"eta": 2}})


@pytest.mark.parametrize(
    ("setting", "given", "expected"),
    [
        ("initializer", "XavierUniform", "xavier_uniform"),
        ("initializer", "RandomNormal", "random"),
        ("initializer", "glorot-uniform", "xavier_uniform"),
        ("loss", "SquaredError", "mean_squared_error"),
        ("loss", "Categorical CrossEntropy", "cross_entropy"),
        ("activation", "LeakyReLU", "leaky_relu"),
    ],
)
def test_values_however_their_words_are_joined(setting, given, expected):
    assert getattr(Settings.read({setting: given}), setting) == expected
