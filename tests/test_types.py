"""Whoever calls a public function sees what it takes and what it gives."""

import ast

import pytest
from test_imports import MODULES


def public(body, method=False):
    """(function, whether it is a method) of all that have no underscore before their names; of a class __init__ too."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, method=True)
        elif isinstance(node, ast.FunctionDef) and (node.name == "__init__" or not node.name.startswith("_")):
            yield node, method


def untyped(tree):
    for function, method in public(tree.body):
        a = function.args
        bound = method and not any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
        arguments = [*a.posonlyargs, *a.args][bound:] + a.kwonlyargs + [x for x in (a.vararg, a.kwarg) if x]
        if not all(x.annotation for x in arguments) or not (function.returns or function.name == "__init__"):
            yield function.name


def test_what_counts_as_untyped():
    source = "def f(x): pass\ndef g(x: int) -> int: pass\nclass A:\n  def h(self) -> int: pass\n  def k(self): pass\n"
    assert [*untyped(ast.parse(source))] == ["f", "k"]


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_say_their_types(module):
    assert [*untyped(ast.parse(MODULES[module].read_text(encoding="utf-8")))] == []
