"""Settings that were found to be good, by name: the files beside this one. docs/accuracy.md says what each reaches."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from muslin.documents import read_document
from muslin.errors import known

#: name → file
RECIPES = {
    file.name.removesuffix(".yaml"): Path(str(file))
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name)
    if file.name.endswith(".yaml")
}


def recipe(name: str) -> dict[str, Any]:
    """The settings of the recipe. Raises InputError for a name that is none."""
    settings: dict[str, Any] = read_document(RECIPES[known(RECIPES, "recipe", name)], "recipe")
    return settings
