"""Sweeps of our own network: what keeps one from training it, and how its words were read."""

from dataclasses import replace

from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.sweeps.file import check
from muslin.sweeps.file.schema import InvalidSweep, load, parse
from muslin.sweeps.file.space import LARGEST, SMALLEST, Space
from muslin.sweeps.file.spellings import is_of_the_data, metric, reading, setting, settings

#: hidden layers above which widths may be meant
DEEP = 16


def read(path):
    """The sweep in a file: of a program, or of our own network. Raises InputError: the file cannot be read, or
    `InvalidSweep` with all that is wrong in it, keys, names and values."""
    return checked(load(path), path)


def checked(raw, where):
    """The same of what the file holds."""
    found = [*check.problems(raw), *_problems(raw)]
    if found:
        raise InvalidSweep(found, where)
    sweep = parse(raw)
    return replace(sweep, warnings=(*sweep.warnings, *doubts(sweep)))


def problems(sweep):
    """All that keeps a valid sweep from training our network, a sentence each: names, values, the metric."""
    return _problems(sweep.raw)


def _problems(raw):
    """Of what is right in a file so far."""
    if not isinstance(raw, dict) or check.runs_program(raw):
        return []
    given, paths = raw.get("metric"), check.paths(raw)
    name = given.get("name") if isinstance(given, dict) else None
    wrong = [*_metric_problems(name if isinstance(name, str) and name else "loss"), *_name_problems(paths)]
    strangers = [name for _, name, error in wrong if error and not error.near]
    sentences = [sentence for sentence, *_ in wrong]
    if len(strangers) > len(paths) / 2:
        sentences = [_not_ours(strangers)]
    return [*sentences, *_value_problems(Space.of(check.sound(raw)))]


def _not_ours(strangers):
    names = ", ".join(map(check.named, strangers[:10])) + (", …" if len(strangers) > 10 else "")
    return (
        f"{names}: muslin's own network has no such settings. If the file is for a program of yours, name it "
        "(program: FILE); a script that calls wandb.agent itself runs with: muslin offline python SCRIPT."
    )


def _metric_problems(name):
    try:
        metric(name)
    except InputError as error:
        yield f"metric.name: {error}", name, error


def _name_problems(paths):
    """(sentence, name, error) of each."""
    first = {}  # setting → the name that means it
    for path in sorted(paths):
        name = ".".join(path)
        try:
            key = setting(path[-1])
        except InputError as error:
            yield f"parameters.{check.named(name)}: {error}", name, error
            continue
        if key in first and key is not None:
            yield f"parameters: {first[key]} and {name} both mean {key}; give one of them.", name, None
        first[key] = name


def _value_problems(space):
    for leaf in space.leaves:
        found = [*_of_the_data(leaf)]
        for value in _samples(leaf):
            try:
                Settings.read(settings({leaf.path[-1]: value}))
            except InputError as error:
                if not hasattr(error, "near"):  # else its name has been said
                    found.append(f"parameters.{leaf.name}: {error}")
        yield from dict.fromkeys(found if "values" in leaf.fields else found[:1])


def _samples(leaf):
    """All values of a leaf where they are listed, else some, the extreme ones where there are bounds."""
    if leaf.constant:
        return [leaf(0.5)]
    if "values" in leaf.fields:
        return leaf.fields["values"]
    return [leaf(u) for u in ((SMALLEST, 0.1, 0.3, 0.7, 0.9, LARGEST) if "min" in leaf.fields else (0.5,))]


def _of_the_data(leaf):
    if not leaf.constant and is_of_the_data(leaf.path[-1]):
        yield f"parameters.{leaf.name} cannot be searched: the data set says how many inputs and classes there are."


def doubts(sweep):
    """How names of a sweep of our own network were read where that is not sure, a sentence each."""
    return [] if sweep.runs_program else [sentence for leaf in sweep.space.leaves for sentence in _doubts(leaf)]


def _doubts(leaf):
    if is_of_the_data(leaf.path[-1]):
        yield f"parameters.{leaf.name} is not used: the data set says how many inputs and classes there are."
        return
    name, sure = reading(leaf.path[-1])
    largest = max((v for v in _samples(leaf) if isinstance(v, int | float)), default=0)
    if name == "hidden_layers" and largest > DEEP:
        yield (
            f"parameters.{leaf.name} is taken for the number of hidden layers, and that is up to {largest}; "
            "how many units each has, is hidden_size."
        )
    elif not sure:
        yield f"parameters.{leaf.name} is taken for {name}; write {name}, or leave it out."
