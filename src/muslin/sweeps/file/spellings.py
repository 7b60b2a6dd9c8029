"""Hyperparameters and metrics by the names that course projects and other libraries give them → ours.

Case, spaces and punctuation do not matter. The values' spellings, such as MGD for momentum, are runs/settings.py's.
"""

from difflib import get_close_matches

from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.sweeps.file.space import LARGEST, SMALLEST

#: setting → its other names
OTHER_NAMES = {
    "validation": "validation_split validation_fraction validation_size val_split val_fraction val_size",
    "hidden_layers": "num_hidden_layers n_hidden_layers no_hidden_layers no_of_hidden_layers number_of_hidden_layers "
    "hidden_layers_count hidden_layer_count num_hidden n_hidden num_layers n_layers no_of_layers number_of_layers "
    "layers nhl hl",
    "hidden_size": "num_hidden_neurons num_hidden_units n_hidden_neurons hidden_neurons hidden_units hidden_nodes "
    "hidden_dim hidden_layer_size hidden_layer_sizes hidden_layers_size hidden_sizes size_hidden_layer "
    "size_of_hidden_layer size_of_hidden_layers num_neurons n_neurons no_of_neurons neurons neurons_per_layer "
    "num_units units layer_size hl_size sz hn",
    "activation": "activation_function activation_func activation_fn activation_f activations hidden_activation "
    "act_func act_fn act",
    "initializer": "initialiser weight_init weights_init weight_initializer weight_initialiser weight_initialization "
    "weight_initialisation weights_initialization weights_initialisation initialization initialisation "
    "initialization_method initialisation_method init_method init_mode init_type init w_init w_i",
    "loss": "loss_function loss_func loss_fn loss_type criterion",
    "optimizer": "optimiser optim opt optimization optimisation optimization_function optimizer_name solver",
    "learning_rate": "lr learn_rate learning_rate_init eta step_size",
    "momentum": "momentum_coefficient",
    "epsilon": "eps",
    "schedule": "lr_schedule lr_scheduler scheduler learning_rate_schedule",
    "warmup": "warmup_epochs",
    "epochs": "max_epochs num_epochs n_epochs no_of_epochs number_of_epochs max_epoch num_epoch n_epoch epoch ep",
    "batch_size": "batch bs mini_batch_size mini_batch",
    "weight_decay": "l2 l2_reg l2_lambda l2_lamb l2_norm l2_regularization l2_regularisation l2_regpara l2_penalty "
    "reg_lambda lambda lambd lamda reg regularization regularisation w_d",
    "dropout": "dropout_rate dropout_prob dropout_probability",
    "label_smoothing": "label_smooth",
    "clip_norm": "grad_clip gradient_clip gradient_clipping max_grad_norm",
    "patience": "early_stopping_patience",
    "seed": "random_seed random_state",
}


def plain(name):
    """The letters and digits of a name, in lower case."""
    return "".join(c for c in str(name).lower() if c.isalnum())


#: what the course's programs take beside hyperparameters; it is passed over
PASSED_OVER = {plain(name) for name in ("wandb_project", "wandb_entity", "project_name", "project", "entity")}

SETTINGS = {plain(name): name for name in Settings.model_fields}
SETTINGS |= {plain(other): name for name, others in OTHER_NAMES.items() for other in others.split()}

PARTS = {"val_": ("val", "valid", "validation"), "": ("", "train", "training")}
MEASURES = {"accuracy": ("accuracy", "acc"), "loss": ("loss",)}
METRICS = {
    best + name: part + measure
    for part, parts in PARTS.items()
    for measure, measures in MEASURES.items()
    for p in parts
    for m in measures
    for name in (p + m, m + p)
    for best in ("", "best")
}


def setting(name):
    """Our name of a hyperparameter. Raises InputError, with the nearest."""
    found = SETTINGS.get(plain(name))
    if found is None:
        raise _unknown("hyperparameter", name, SETTINGS)
    return found


def metric(name):
    """The key of a run's history that a metric's name means. Raises InputError, with the nearest."""
    found = METRICS.get(plain(name))
    if found is None:
        raise _unknown("metric", name, METRICS)
    return found


def _unknown(kind, name, names):
    """`muslin.errors.unknown`, with the nearest looked for among all the other names."""
    near = get_close_matches(plain(name), names, n=1)
    hint = f" Did you mean {names[near[0]]!r}?" if near else ""
    return InputError(f"Unknown {kind} {name!r}; choose from {', '.join(sorted(set(names.values())))}.{hint}")


def settings(config):
    """A run's configuration, with groups or without, as an argument of `Settings.read`.

    Raises InputError for a name that is unknown, or that means the same as another one.
    """
    found, named = {}, {}
    for name, value in _flat(config):
        if plain(name) in PASSED_OVER:
            continue
        key = setting(name)
        if key in found:
            raise InputError(f"{named[key]} and {name} both mean {key}; give one of them.")
        found[key], named[key] = value, name
    return found


def fixed(sweep):
    """The settings that a sweep's file gives a single value; what it searches has our default."""
    return Settings.read(settings({leaf.path[-1]: leaf(0.5) for leaf in sweep.space.leaves if leaf.constant}))


def _flat(config):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value


def problems(sweep):
    """All that keeps a valid sweep from training our network, a sentence each: names, values, the metric."""
    found = [*_metric_problems(sweep.metric), *_name_problems(sweep.space)]
    return found or [*_value_problems(sweep.space)]


def _metric_problems(given):
    try:
        metric(given.name if given else "loss")
    except InputError as error:
        yield f"metric.name: {error}"


def _name_problems(space):
    named = {}
    for leaf in space.leaves:
        if plain(leaf.path[-1]) in PASSED_OVER:
            continue
        try:
            key = setting(leaf.path[-1])
        except InputError as error:
            yield f"parameters.{leaf.name}: {error}"
            continue
        if key in named:
            yield f"parameters: {named[key]} and {leaf.name} both mean {key}; give one of them."
        named[key] = leaf.name


def _value_problems(space):
    for leaf in space.leaves:
        for value in _samples(leaf):
            try:
                Settings.read(settings({leaf.path[-1]: value}))
            except InputError as error:
                yield f"parameters.{leaf.name}: {error}"
                break


def _samples(leaf):
    """All values of a leaf where they are listed, else some, the extreme ones where there are bounds."""
    if leaf.constant:
        return [leaf(0.5)]
    if "values" in leaf.fields:
        return leaf.fields["values"]
    return [leaf(u) for u in ((SMALLEST, 0.1, 0.3, 0.7, 0.9, LARGEST) if "min" in leaf.fields else (0.5,))]
