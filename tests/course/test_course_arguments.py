"""train.py's table, flag by flag: written by hand from the course's pages, both editions."""

import re
from pathlib import Path

import pytest

from muslin.course.arguments import BEST, parser, settings
from muslin.errors import InputError
from muslin.runs.settings import Settings


def read(*words):
    return settings(parser().parse_args([str(word) for word in words]))


#: (short flags, long flag) → what is typed, the setting, what it means
TABLE = [
    ("-d", "--dataset", "mnist", "dataset", "mnist"),
    ("-e", "--epochs", "7", "epochs", 7),
    ("-b", "--batch_size", "48", "batch_size", 48),
    ("-l", "--loss", "mean_squared_error", "loss", "mean_squared_error"),
    ("-o", "--optimizer", "momentum", "optimizer", "momentum"),
    ("-lr", "--learning_rate", "0.05", "learning_rate", 0.05),
    ("-m", "--momentum", "0.5", "momentum", 0.5),
    ("-beta", "--beta", "0.4", "beta", 0.4),
    ("-beta1", "--beta1", "0.3", "beta1", 0.3),
    ("-beta2", "--beta2", "0.2", "beta2", 0.2),
    ("-eps", "--epsilon", "0.000001", "epsilon", 1e-6),
    ("-w_d", "--weight_decay", ".5", "weight_decay", 0.5),
    ("-w_i", "--weight_init", "random", "initializer", "random"),
    ("-nhl", "--num_layers", "7", "hidden_layers", 7),
    ("-sz", "--hidden_size", "4", "hidden_size", 4),
    ("-a", "--activation", "identity", "activation", "identity"),
    # the edition of 2026
    ("-wd", "--weight_decay", "0.25", "weight_decay", 0.25),
    ("-wi", "--weight_init", "zeros", "initializer", "zeros"),
]


@pytest.mark.parametrize(("short", "long", "typed", "setting", "meant"), TABLE)
def test_every_flag(short, long, typed, setting, meant):
    unchanged = read()
    assert getattr(unchanged, setting) != meant
    expected = unchanged.model_copy(update={setting: meant})
    assert read(short, typed) == read(long, typed) == read(f"{long}={typed}") == read(f"{short}={typed}") == expected


@pytest.mark.parametrize(
    ("short", "long", "name"), [("-wp", "--wandb_project", "wandb_project"), ("-we", "--wandb_entity", "wandb_entity")]
)
def test_where_to_at_wandb(short, long, name):
    for words in ([short, "mine"], [long, "mine"], [f"{long}=mine"]):
        assert getattr(parser().parse_args(words), name) == "mine"
    assert getattr(parser().parse_args([]), name) is None


@pytest.mark.parametrize(
    ("flag", "setting", "choices"),
    [
        ("-d", "dataset", {"mnist": "mnist", "fashion_mnist": "fashion_mnist"}),
        (
            "-l",
            "loss",
            {
                "mean_squared_error": "mean_squared_error",
                "mse": "mean_squared_error",
                "MSE": "mean_squared_error",
                "squared error": "mean_squared_error",
                "mse_loss": "mean_squared_error",
                "cross_entropy": "cross_entropy",
                "Cross-Entropy": "cross_entropy",
                "cross entropy": "cross_entropy",
                "cross_entropy_loss": "cross_entropy",
            },
        ),
        (
            "-o",
            "optimizer",
            {
                "sgd": "sgd",
                "SGD": "sgd",
                "momentum": "momentum",
                "MGD": "momentum",
                "nag": "nag",
                "NAG": "nag",
                "nesterov": "nag",
                "Nesterov": "nag",
                "rmsprop": "rmsprop",
                "RMSProp": "rmsprop",
                "adam": "adam",
                "Adam": "adam",
                "nadam": "nadam",
                "Nadam": "nadam",
            },
        ),
        ("-w_i", "initializer", {"random": "random", "Xavier": "xavier", "xavier": "xavier", "zeros": "zeros"}),
        (
            "-a",
            "activation",
            {
                "identity": "identity",
                "sigmoid": "sigmoid",
                "tanh": "tanh",
                "Tanh": "tanh",
                "ReLU": "relu",
                "relu": "relu",
                "RELU": "relu",
            },
        ),
    ],
)
def test_every_spelling_of_the_choices(flag, setting, choices):
    for typed, meant in choices.items():
        assert getattr(read(flag, typed), setting) == meant


@pytest.mark.parametrize(
    ("words", "layers", "size"),
    [
        (["-sz", 64], BEST["hidden_layers"], 64),
        (["-nhl", 2, "-sz", 64], 2, 64),
        (["-sz", 128, 128, 64], 3, [128, 128, 64]),
        (["-nhl", 2, "-sz", 32, 16], 2, [32, 16]),
        (["-sz", "32,16"], 2, [32, 16]),
        (["-sz", "32,", "16"], 2, [32, 16]),
        (["--hidden_size=32,16"], 2, [32, 16]),
        (["--hidden_size=[32, 16, 8, 4]"], 4, [32, 16, 8, 4]),  # as a W&B agent passes a list
        (["--hidden_size=[32]", "--num_layers=1"], 1, 32),
    ],
)
def test_one_size_or_one_a_layer(words, layers, size):
    found = read(*words)
    assert (found.hidden_layers, found.hidden_size) == (layers, size)
    assert found.network(9, 4).sizes == [9, *(size if isinstance(size, list) else [size] * layers), 4]


@pytest.mark.parametrize(
    ("typed", "meant"), [(["--diagnostics=True"], True), (["--diagnostics"], True), (["--diagnostics=False"], False)]
)
def test_booleans_as_an_agent_passes_them(typed, meant):
    assert read(*typed).diagnostics is meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [([], True), (["--test"], True), (["--test=True"], True), (["--test=False"], False), (["--test", "false"], False)],
)
def test_whether_to_test(typed, meant):
    assert parser().parse_args(typed).test is meant


@pytest.mark.parametrize(
    ("typed", "setting", "meant"),
    [
        ("--validation=0.2", "validation", 0.2),
        ("--seed=5", "seed", 5),
        ("--dropout=0.1", "dropout", 0.1),
        ("--engine=NumPy", "engine", "numpy"),
        ("--data-dir=x", "data_dir", str(Path("x").absolute())),
        ("--data_dir=x", "data_dir", str(Path("x").absolute())),
    ],
)
def test_beyond_the_table(typed, setting, meant):
    assert read(typed) == read().model_copy(update={setting: meant})


def test_the_defaults_are_our_best_configuration():
    assert read() == Settings.read(BEST)
    assert read().validation == 0.1


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nag", "rmsprop", "adam", "nadam"])
def test_what_an_optimizer_does_not_have_is_passed_over(optimizer):
    everything = ["-m", 0.5, "-beta", 0.4, "-beta1", 0.3, "-beta2", 0.2, "-eps", 1e-6]
    own = {"momentum": {"momentum"}, "nag": {"momentum"}, "rmsprop": {"beta", "epsilon"}, "sgd": set()}
    taken = read("-o", optimizer, *everything).training()
    names = {"momentum", "beta", "beta1", "beta2", "epsilon"}
    assert taken.keys() & names == own.get(optimizer, {"beta1", "beta2", "epsilon"})


def test_the_command_of_2023():
    given = parser().parse_args(["--wandb_entity", "myname", "--wandb_project", "myprojectname"])
    assert (given.wandb_entity, given.wandb_project) == ("myname", "myprojectname")
    assert settings(given) == Settings.read(BEST)


def test_the_command_of_2026():
    line = (
        "-wp myprojectname -d mnist -e 2 -b 64 -l cross_entropy -o adam -lr 0.001 -wd 0.0 -nhl 3 -sz 128 128 64 "
        "-a relu -wi xavier --model_save_path models/best.npy"
    )
    given = parser().parse_args(line.split())
    assert (given.wandb_project, str(given.model_save_path)) == ("myprojectname", "models/best.npy")
    assert settings(given) == Settings.read(
        BEST | {"hidden_layers": 3},
        {"dataset": "mnist", "epochs": 2, "batch_size": 64, "loss": "cross_entropy", "optimizer": "adam"},
        {"learning_rate": 0.001, "weight_decay": 0.0, "hidden_size": [128, 128, 64], "activation": "relu"},
        {"initializer": "xavier"},
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-e", 0], "epochs is '0'; it must be a whole number from 1"),
        (["-lr"], "expected one argument; see: python train.py --help"),
        (["--weigth_decay=1"], "Unrecognized arguments: --weigth_decay=1"),
        (["--weight=1"], "Unrecognized arguments: --weight=1"),
        (["-o", "adma"], "Did you mean 'adam'"),
        (["-nhl", 3, "-sz", 32, 16], "hidden_size lists 2 layers, hidden_layers is 3"),
        (["-sz", "a,b"], "hidden_size is 'a,b'"),
        (["-sz", ""], "hidden_size is ''"),
        (["--test=maybe"], "'maybe' is not true or false"),
    ],
)
def test_bad_words(words, message):
    with pytest.raises(InputError, match=message):
        read(*words)


def test_help_has_the_table_s_own_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    theirs = re.findall(r"the course's table: ([\w.]+)\)", shown)
    expected = "fashion_mnist 1 4 cross_entropy sgd 0.1 0.5 0.5 0.5 0.5 0.000001 0.0 random 1 4 sigmoid"
    assert " ".join(theirs) == expected
    assert f"by the schedule (default {BEST['learning_rate']}; the course's table: 0.1)" in shown
