"""Settings: spellings, sentences, files, and what the network and the training loop get of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muslin.errors import InputError
from muslin.runs.settings import CHOICES, RIGHT, SPELLINGS, Settings, read_file
from muslin.training.settings import OPTIONS


@pytest.mark.parametrize(
    ("setting", "typed", "meant"),
    [
        ("activation", "ReLU", "relu"),
        ("activation", "Sigmoid", "sigmoid"),
        ("activation", "logistic", "sigmoid"),
        ("activation", "leaky-relu", "leaky_relu"),
        ("activation", "lrelu", "leaky_relu"),
        ("activation", "LeakyReLU", "leaky_relu"),
        ("activation", "swish", "silu"),
        ("activation", "linear", "identity"),
        ("initializer", "Xavier", "xavier"),
        ("initializer", "random_normal", "random"),
        ("initializer", "glorot-uniform", "xavier_uniform"),
        ("initializer", "kaiming", "he"),
        ("optimizer", "SGD", "sgd"),
        ("optimizer", "NAdam", "nadam"),
        ("optimizer", "RMSProp", "rmsprop"),
        ("optimizer", "nesterov", "nag"),
        ("optimizer", "MGD", "momentum"),
        ("loss", "Cross-Entropy", "cross_entropy"),
        ("loss", "MSE", "mean_squared_error"),
        ("loss", "squared_error", "mean_squared_error"),
        ("schedule", "One-Cycle", "one_cycle"),
        ("loss", "Mean Squared  Error", "mean_squared_error"),
        ("loss", "cross_entropy_loss", "cross_entropy"),
        ("loss", "mse-loss", "mean_squared_error"),
        ("engine", "NumPy", "numpy"),
        ("dtype", "FLOAT64", "float64"),
    ],
)
def test_spellings(setting, typed, meant):
    assert getattr(Settings.read({setting: typed}), setting) == meant


def test_every_spelling_leads_to_a_name_that_is_there():
    assert set(SPELLINGS.values()) <= {name for table in CHOICES.values() for name in table}


@pytest.mark.parametrize(("setting", "table"), CHOICES.items())
def test_every_name_is_its_own_spelling(setting, table):
    assert [getattr(Settings.read({setting: name}), setting) for name in table] == list(table)


def test_defaults_are_those_of_the_course():
    s = Settings()
    assert (s.dataset, s.hidden_layers, s.hidden_size, s.activation) == ("fashion_mnist", 3, 128, "sigmoid")
    assert (s.optimizer, s.learning_rate, s.epochs, s.batch_size) == ("nadam", 0.001, 10, 32)
    assert (s.initializer, s.loss, s.weight_decay, s.validation) == ("xavier", "cross_entropy", 0, 0.1)


def test_later_sources_outrank_earlier_ones_whatever_the_hyphens():
    s = Settings.read({"learning-rate": 1, "epochs": 3}, {"learning_rate": "0.5"})
    assert (s.learning_rate, s.epochs) == (0.5, 3)


@pytest.mark.parametrize(
    ("typed", "layers", "size", "network"),
    [
        ({"hidden_size": "256,128"}, 2, [256, 128], [9, 256, 128, 4]),
        ({"hidden_size": [5, 4, 3]}, 3, [5, 4, 3], [9, 5, 4, 3, 4]),
        ({"hidden_size": [5, 4], "hidden_layers": "2"}, 2, [5, 4], [9, 5, 4, 4]),
        ({"hidden_size": "64", "hidden_layers": 2}, 2, 64, [9, 64, 64, 4]),
        ({"hidden_size": 64.0, "hidden_layers": 1}, 1, 64, [9, 64, 4]),
        ({"hidden_layers": 0}, 0, 128, [9, 4]),
    ],
    ids=str,
)
def test_sizes(typed, layers, size, network):
    s = Settings.read(typed)
    assert (s.hidden_layers, s.hidden_size) == (layers, size)
    assert s.network(9, 4).sizes == network


def test_the_network_has_the_settings():
    names = {"activation": "gelu", "initializer": "zeros", "loss": "mean_squared_error", "engine": "numpy"}
    s = Settings.read(names, {"initializer_scale": 0.5, "seed": 7, "dtype": "float64", "hidden_size": [3]})
    network = s.network(2, 2)
    assert {name: getattr(network, name) for name in ("activation", "initializer", "loss")} | {
        "engine": network.engine.name
    } == names
    assert (network.initializer_scale, network.seed, network.dtype) == (0.5, 7, "float64")


@pytest.mark.parametrize(
    ("optimizer", "own"),
    [
        ("sgd", set()),
        ("momentum", {"momentum"}),
        ("nag", {"momentum"}),
        ("rmsprop", {"beta", "epsilon"}),
        ("adagrad", {"epsilon"}),
        ("adam", {"beta1", "beta2", "epsilon"}),
        ("nadam", {"beta1", "beta2", "epsilon"}),
        ("adamw", {"beta1", "beta2", "epsilon"}),
    ],
)
def test_training_is_given_the_optimizers_own_hyperparameters_only(optimizer, own):
    hyperparameters = {"momentum": 0.5, "beta": 0.6, "beta1": 0.7, "beta2": 0.8, "epsilon": 0.1}
    given = Settings.read(hyperparameters, {"optimizer": optimizer}).training()
    assert {name: given[name] for name in given.keys() & hyperparameters.keys()} == {
        name: hyperparameters[name] for name in own
    }
    assert given.keys() >= OPTIONS.keys() - {"shuffle", "freeze", "seed"}


def test_every_optimizer_is_in_the_test_above():
    assert set(CHOICES["optimizer"]) >= {
        "sgd", "momentum", "nag", "rmsprop", "adagrad", "adam", "nadam", "adamw",
    }  # fmt: skip


def test_hyperparameters_that_are_not_given_are_left_to_the_rule():
    assert not Settings.read({"optimizer": "adam"}).training().keys() & {"beta1", "beta2", "epsilon", "momentum"}


WRONG = [
    ("epochs", "0", "epochs is '0'; it must be a whole number from 1."),
    ("epochs", 2.5, "epochs is 2.5; it must be a whole number from 1."),
    ("epochs", True, "epochs is True; it must be a whole number from 1."),
    ("epochs", None, "epochs is None; it must be a whole number from 1."),
    ("epochs", [3], "epochs is [3]; it must be a whole number from 1."),
    ("learning_rate", "-1", "it must be a positive number."),
    ("learning_rate", "nan", "it must be a positive number."),
    ("learning_rate", True, "it must be a positive number."),
    ("weight_decay", -0.1, "it must be a number from 0."),
    ("weight_decay", "inf", "it must be a number from 0."),
    ("dropout", 1, "dropout is 1; it must be at least 0 and below 1."),
    ("label_smoothing", 1, "it must be at least 0 and below 1."),
    ("warmup", -1, "it must be a number of epochs from 0."),
    ("clip_norm", 0, "it must be a positive number"),
    ("batch_size", "1e400", "it must be a whole number from 1."),
    ("momentum", 1.0, "it must be at least 0 and below 1."),
    ("beta1", -0.1, "it must be at least 0 and below 1."),
    ("epsilon", -1e-8, "it must be a number from 0."),
    ("initializer_scale", "inf", "it must be a number."),
    ("hidden_layers", -1, "it must be a whole number from 0 to 1000."),
    ("hidden_layers", 10**30, "it must be a whole number from 0 to 1000."),
    ("hidden_layers", "1" + "0" * 400, "it must be a whole number from 0 to 1000."),
    ("validation", 1.0, "validation is 1.0; it must be a share from 0 to below 1, or a whole number of samples."),
    ("validation", "1.0", "validation is '1.0'; it must be a share"),
    ("validation", "nan", "it must be a share"),
    ("activation", ["relu"], "Unknown activation"),
    ("dataset", "~no one/x", "there is no such home folder"),
    ("hidden_size", "abc", "or one for each hidden layer, such as 256,128."),
    ("hidden_size", "8,,8", "or one for each hidden layer, such as 256,128."),
    ("hidden_size", 0, "it must be a whole number from 1, or one for each"),
    ("hidden_size", [], "it must be a whole number from 1, or one for each"),
    ("hidden_size", 2.5, "it must be a whole number from 1, or one for each"),
    ("hidden_size", [8, 2.5], "it must be a whole number from 1, or one for each"),
    ("hidden_size", float("nan"), "it must be a whole number from 1, or one for each"),
    ("hidden_size", [True], "it must be a whole number from 1, or one for each"),
    ("hidden_size", [[8]], "it must be a whole number from 1, or one for each"),
    ("hidden_size", None, "it must be a whole number from 1, or one for each"),
    ("hidden_size", float("inf"), "it must be a whole number from 1, or one for each"),
    ("validation", True, "it must be a share from 0 to below 1, or a whole number of samples."),
    ("validation", -1, "it must be a share from 0 to below 1, or a whole number of samples."),
    ("seed", -1, "it must be a whole number from 0."),
    ("threads", 0, "it must be a whole number from 1 to 1024."),
    ("threads", 10**30, "it must be a whole number from 1 to 1024."),
    ("patience", 0, "it must be a whole number of epochs from 1"),
    ("stratify", "maybe", "it must be true or false."),
    ("dataset", 5, "dataset is 5; it must be a text."),
    ("optimizer", "adma", "Unknown optimizer 'adma'; choose from adagrad, adam"),
    ("optimizer", "adma", "Did you mean 'adam'?"),
    ("activation", "rleu", "Did you mean 'relu'?"),
    ("engine", "gpu", "Unknown engine 'gpu'; choose from auto, numba, numpy."),
    ("dtype", "float16", "choose from float32, float64."),
    ("epochss", 3, "Unknown setting 'epochss'; choose from activation, batch_size"),
    ("epochss", 3, "Did you mean 'epochs'?"),
    (3, 3, "Unknown setting '3'; choose from"),
]


@pytest.mark.parametrize(("setting", "value", "sentence"), WRONG)
def test_what_is_wrong_is_said_in_one_sentence_with_what_is_right(setting, value, sentence):
    with pytest.raises(InputError) as error:
        Settings.read({setting: value})
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_sizes_that_contradict_the_number_of_layers():
    with pytest.raises(InputError, match="hidden_size lists 2 layers, hidden_layers is 3; give one of them"):
        Settings.read({"hidden_size": "8,8", "hidden_layers": 3})


def test_every_number_has_what_is_right():
    texts = {"dataset", "data_dir", "monitor", "target", "drop", "test", "encoding"}
    assert set(Settings.model_fields) - texts - set(CHOICES) == set(RIGHT) - set(CHOICES) - texts


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().epochs = 3


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("a.yaml", "epochs: 3\nlearning-rate: 1e-3\n", {"epochs": 3, "learning-rate": "1e-3"}),
        ("a.yml", "hidden_size: [8, 4]\nstratify: yes\n", {"hidden_size": [8, 4], "stratify": True}),
        ("a.json", '{\n\t"epochs": 3, "data_dir": null}', {"epochs": 3, "data_dir": None}),
        ("A.JSON", '\ufeff{"activation": "relu"}', {"activation": "relu"}),
        ("any", '{"epochs": 3}', {"epochs": 3}),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 8 else "",
)
def test_files(tmp_path, name, text, values):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_file(tmp_path / name) == values
    Settings.read(values)


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("a.yaml", b"epochs: 3\n bad: [", "a.yaml, line 2: not valid YAML or JSON."),
        ("a.json", b'{"epochs": 3,\n}', "a.json, line 2: not valid YAML or JSON."),
        ("a.yaml", b"\xff\xfe\x00a", "a.yaml: not valid YAML or JSON."),
        ("a.yaml", b"seed: 2024-13-45", "a.yaml: not valid YAML or JSON."),
        ("a.yaml", b"[" * 3000, "a.yaml: not valid YAML or JSON."),
        ("a.yaml", b"[1, 2]", "a.yaml must hold settings, a line each, such as 'learning_rate: 0.001'."),
        ("a.yaml", b"", "a.yaml must hold settings, a line each"),
        ("a.json", b"3", "a.json must hold settings, a line each"),
        ("a.yaml", None, "There is no config file"),
    ],
)
def test_files_that_are_none(tmp_path, name, contents, sentence):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    with pytest.raises(InputError) as error:
        read_file(tmp_path / name)
    assert sentence in str(error.value)


def test_a_run_s_config_json_is_read_back(tmp_path):
    s = Settings.read({"hidden_size": "8,4", "validation": 0.25, "clip_norm": 1, "patience": 2, "optimizer": "nag"})
    (tmp_path / "a.json").write_text(json.dumps(s.model_dump()))
    assert Settings.read(read_file(tmp_path / "a.json")) == s


ODD = ["1,2", "8", "~no one", "\0", 10**400, "1" * 5000]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)) | st.text(max_size=8), JSON, max_size=4))
def test_any_file_of_settings_is_read_or_refused_in_a_sentence(values):
    try:
        settings = Settings.read(values)
    except InputError as error:
        sentence = str(error)
    else:
        assert Settings.read(json.loads(json.dumps(settings.model_dump()))) == settings
        return
    assert "\n" not in sentence
    assert len(sentence) < 1500
