"""Sweeps of our own network: what keeps one from training it, and how its words were read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, NamedTuple

from muslin.errors import InputError
from muslin.runs.settings import Settings
from muslin.sweeps.file import parameters
from muslin.sweeps.file.keys import named
from muslin.sweeps.file.problems import runs_program
from muslin.sweeps.file.schema import Sweep, load, parse
from muslin.sweeps.file.space import LARGEST, SMALLEST, Leaf, Space
from muslin.sweeps.file.spellings import UnknownName, is_of_the_data, metric, reading, setting, settings

#: hidden layers above which widths may be meant
DEEP = 16


class Wrong(NamedTuple):
    """A sentence on a name, and whether nothing of ours is near it."""

    sentence: str
    name: str
    strange: bool = False


def read(path: str | PathLike[str]) -> Sweep:
    """The sweep in a file: of a program, or of our own network. Raises InputError: the file cannot be read, or
    `InvalidSweep` with all that is wrong in it, keys, names and values."""
    return checked(load(path), path)


def checked(raw: Any, where: object) -> Sweep:
    """The same of what the file holds."""
    sweep = parse(raw, where, also=problems(raw))
    return replace(sweep, warnings=(*sweep.warnings, *doubts(sweep)))


def problems(raw: Any) -> list[str]:
    """All that keeps a sweep from training our network, a sentence each: names, values, the metric. What is wrong for
    any sweep is passed over."""
    if not isinstance(raw, dict) or runs_program(raw):
        return []
    paths = parameters.paths(raw.get("parameters"))
    wrong = [*_metric_problems(raw.get("metric")), *_name_problems(paths)]
    strangers = [name for _, name, strange in wrong if strange]
    sentences = [_not_ours(strangers)] if len(strangers) > len(paths) / 2 else [w.sentence for w in wrong]
    return [*sentences, *_value_problems(Space.of(parameters.sound(raw.get("parameters"), raw.get("method"))))]


def _not_ours(strangers: Sequence[str]) -> str:
    names = ", ".join(map(named, strangers[:10])) + (", …" if len(strangers) > 10 else "")
    return (
        f"{names}: muslin's own network has no such settings. If the file is for a program of yours, name it "
        "(program: FILE); a script that calls wandb.agent itself runs with: muslin offline python SCRIPT."
    )


def _metric_problems(of: Any) -> Iterator[Wrong]:
    name = of.get("name") if isinstance(of, dict) else None
    name = name if isinstance(name, str) and name else "loss"
    try:
        metric(name)
    except UnknownName as error:
        yield Wrong(f"metric.name: {error}", name, strange=not error.near)


def _name_problems(paths: Iterable[tuple[str, ...]]) -> Iterator[Wrong]:
    first: dict[str, str] = {}  # setting → the name that means it
    for path in sorted(paths):
        name = ".".join(path)
        try:
            key = setting(path[-1])
        except UnknownName as error:
            yield Wrong(f"parameters.{named(name)}: {error}", name, strange=not error.near)
            continue
        if key in first:
            yield Wrong(f"parameters: {first[key]} and {name} both mean {key}; give one of them.", name)
        if key is not None:
            first[key] = name


def _value_problems(space: Space) -> Iterator[str]:
    for leaf in space.leaves:
        wrong = [*_of_the_data(leaf)]
        for value in _samples(leaf):
            try:
                Settings.read(settings({leaf.path[-1]: value}))
            except UnknownName:  # which has been said
                pass
            except InputError as error:
                wrong.append(f"parameters.{leaf.name}: {error}")
        yield from dict.fromkeys(wrong if "values" in leaf.fields else wrong[:1])


def _samples(leaf: Leaf) -> Sequence[Any]:
    """All values of a leaf where they are listed, else some, the extreme ones where there are bounds."""
    if leaf.constant:
        return [leaf(0.5)]
    if "values" in leaf.fields:
        return leaf.fields["values"]
    return [leaf(u) for u in ((SMALLEST, 0.1, 0.3, 0.7, 0.9, LARGEST) if "min" in leaf.fields else (0.5,))]


def _of_the_data(leaf: Leaf) -> Iterator[str]:
    if not leaf.constant and is_of_the_data(leaf.path[-1]):
        yield f"parameters.{leaf.name} cannot be searched: the data set says how many inputs and classes there are."


def doubts(sweep: Sweep) -> list[str]:
    """How names of a sweep of our own network were read where that is not sure, a sentence each."""
    return [] if sweep.runs_program else [sentence for leaf in sweep.space.leaves for sentence in _doubts(leaf)]


def _doubts(leaf: Leaf) -> Iterator[str]:
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
