"""Imports point down, from floor to floor; only the engine knows numba; `import muslin` loads nothing heavy."""

import ast
import builtins
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import muslin

#: from the ground up; a part may import from the floors below its own. "muslin" is the package's own __init__.py
FLOORS = (
    {"errors"},
    {"drawings", "digests", "inputs", "memory", "evidence", "preparation"},
    {"files"},
    {"documents"},
    {"activations", "losses", "initializers", "optimizers", "schedules", "normalization", "augmentation"},
    {"outputs", "export"},
    {"engines", "model_file"},
    {"training"},
    {"network"},
    {"ensemble"},
    {"muslin"},
    {"datasets", "gradcheck"},
    {"runs"},
    {"executors"},
    {"report", "estimators", "recipes"},
    {"tracking"},
    {"sweeps", "studies"},
    {"cli"},
    {"course"},
    {"__main__"},
)
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}

SOURCE = Path(muslin.__file__).parent
MODULES = {
    ".".join(["muslin", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
#: names that no module may have
TAKEN = {*dir(builtins), *packages_distributions()} - {"muslin"}


def imports(module, *, top_level=False):
    """The modules that a module imports: (its own ones, the top-level names of the others')."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name in MODULES}, {name.partition(".")[0] for name in found} - {"muslin"}


def part(module):
    return module.split(".")[1] if "." in module else module


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    own = part(module)
    assert own in FLOOR, f"{own} needs a place in FLOORS"
    for imported in map(part, imports(module)[0]):
        assert imported == own or FLOOR[imported] < FLOOR[own]


def test_no_import_ring():
    TopologicalSorter({module: imports(module, top_level=True)[0] - {module} for module in MODULES}).prepare()


def test_reading_a_sweep_file_goes_down_one_staircase():
    """The steps stand in the package's docstring, from the top down."""
    room = "muslin.sweeps.file"
    text = ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8")))
    steps = [f"{room}.{name}" for name in re.findall(r"^(\w+)\.py ", text, re.MULTILINE)]
    assert {*steps} == {module for module in MODULES if module.startswith(f"{room}.")}
    for place, module in enumerate(steps):
        assert imports(module)[0] & {*steps} <= {*steps[place + 1 :]}, module


def test_only_two_modules_import_numba():
    users = [module for module in MODULES if "numba" in imports(module)[1]]
    assert users == ["muslin.engines.calls", "muslin.engines.templates"]


@pytest.mark.parametrize("module", MODULES)
def test_no_module_shadows_a_builtin_or_a_package(module):
    assert module.rpartition(".")[2] not in TAKEN


def test_importing_muslin_loads_nothing_heavy():
    script = "import json, sys, muslin; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(found.stdout)}
    assert "muslin" in loaded
    assert not loaded & {
        "numpy",
        "numba",
        "sklearn",
        "pydantic",
        "matplotlib",
        "typer",
        "rich",
        "yaml",
        "safetensors",
        "optuna",
    }


def test_the_network_is_there_when_it_is_asked_for():
    script = (
        "import sys; from muslin import FeedForwardNeuralNetwork as F; print(F.__module__, 'sklearn' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "muslin.network False\n"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        muslin.nothing  # noqa: B018
