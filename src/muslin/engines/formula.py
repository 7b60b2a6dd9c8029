"""Reads a formula: what of it is done once and what for each element, and whether a loop can give the same numbers.

What NumPy does with the Python scalars of a formula must hold in a compiled loop too (NEP 50): ``1 - beta1`` is
computed in double precision, once a step, and takes the precision of the array where it meets one. A compiler that
sees only the loop would make all of it double precision: half as fast, and with other results.

Here everything is refused that is not listed. A formula that is refused is slow and right.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

#: NumPy has these vectorized and compilers have not: they are applied to a whole array, between two loops
VECTORIZED = {
    f"np.{name}"
    for name in ("exp", "expm1", "exp2", "log", "log1p", "log2", "tanh", "sinh", "cosh", "sin", "cos", "tan")
}

#: these are correctly rounded wherever they are computed
EXACT = {"np.sqrt", "np.abs"}

#: what these do to one element: as a choice it is one vector instruction
CHOICES = {
    "np.where": (3, "({1} if {0} else {2})"),
    "np.maximum": (2, "({0} if {0} > {1} else {1} if {0} == {0} else {0})"),
    "np.minimum": (2, "({0} if {0} < {1} else {1} if {0} == {0} else {0})"),
    "np.sign": (1, "({one} if {0} > {zero} else {minus} if {0} < {zero} else {0})"),
}
NUMBERS = {"one": "1.0", "minus": "-1.0", "zero": "0.0"}

#: what may be called with numbers alone, beside all of `math`
OF_SCALARS = {*VECTORIZED, *EXACT, "np.maximum", "np.minimum", "np.float64", "abs", "min", "max", "float"}

COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


class NotCertain(ValueError):
    """It is not certain that what is made of a formula gives the same numbers as the formula; says why."""


class Bindings:
    """The text of a plain function, and the values of the names that it takes from its module: what is made of a
    function holds as long as they have not `changed`.

    Raises nothing when it is made; `tree` raises NotCertain where there is no text, or another one than what runs.
    """

    def __init__(self, function: Callable):
        self.function: Callable[[], Any] = weakref.ref(function)  # what is made of a function does not keep it
        self.code = getattr(function, "__code__", None)
        self.read: dict[str, Any] = {}

    @property
    def space(self) -> dict[str, Any]:
        """The names of the function's module."""
        return self.function().__globals__

    def changed(self) -> bool:
        function = self.function()
        space = function.__globals__
        for name, value in self.read.items():  # a loop: it is asked for after each step that someone watches
            if space.get(name, _MISSING) is not value:
                return True
        return function.__code__ is not self.code

    def value(self, name: str) -> Any:
        """What a name of the module stands for (or of Python itself); it is remembered that it was asked for."""
        value = self.space.get(name, _MISSING)
        self.read[name] = value
        return vars(builtins).get(name, _MISSING) if value is _MISSING else value

    def tree(self) -> ast.FunctionDef:
        """The function's syntax tree."""
        if self.code is None:
            raise NotCertain("the formula is no plain function")
        if self.function().__closure__:
            raise NotCertain("the formula uses variables of the function around it")
        try:
            source = textwrap.dedent(inspect.getsource(self.function()))
            module = ast.parse(source)
        except (OSError, TypeError, SyntaxError) as error:  # typed into a bare interpreter, a lambda, a builtin
            raise NotCertain("the formula has no source text") from error
        tree = module.body[0]
        if not isinstance(tree, ast.FunctionDef) or tree.decorator_list:
            raise NotCertain("the formula is not a plain function")
        if tree.args.posonlyargs or tree.args.vararg or tree.args.kwarg or tree.args.defaults:
            raise NotCertain("the formula's arrays must be plain arguments without defaults")
        if not any(self._is_code_of(start + source, tree.name) for start in (f"import {self._modules()}\n", "")):
            raise NotCertain("the formula's file was edited after it was imported")
        return tree

    def _modules(self):
        """The names of the function that are modules; Python makes other code of an attribute of an imported name."""
        return ", ".join(n for n in self.code.co_names if isinstance(self.space.get(n), ModuleType)) or "math"

    def _is_code_of(self, source, name):
        future = self.code.co_flags & annotations.compiler_flag  # as in the formula's own file, and not as in this one
        constants = compile(source, "", "exec", future, dont_inherit=True).co_consts
        return _alike(next(c for c in constants if inspect.iscode(c) and c.co_name == name), self.code)


def _alike(code, other):
    """Whether two pieces of code do the same, functions within them too; where in a file they stand may differ."""
    if not (inspect.iscode(code) and inspect.iscode(other)):
        return (code,) == (other,)
    same = code.co_code == other.co_code and code.co_names == other.co_names
    return same and len(code.co_consts) == len(other.co_consts) and all(map(_alike, code.co_consts, other.co_consts))


_MISSING = object()


class ParsedFormula(ast.NodeTransformer):
    """The parts of a formula, a function of arrays (positional arguments) and scalars (keyword arguments).

    Each largest expression made of scalars and numbers alone is replaced by a name.

    ``arrays``     names of the array arguments
    ``source``     text of the function of one element: its arguments are the arrays' elements, then the ``scalars``
    ``once``       function of the keyword arguments that returns the values of the ``scalars``, in double precision
    ``constants``  {name: value} of the expressions that hold numbers only
    ``doubles``    those of the scalars that NumPy keeps in double precision where they meet an array
    ``ufunc``      the `VECTORIZED` function in the formula, or None; where there is one, ``source`` takes its result
                   as one more argument, and ``inner`` is the text of the function of what it is applied to

    Raises NotCertain for a formula that is more than a straight line of assignments, or of which it is not certain that
    the loop gives the same numbers: one with branches, a scalar that changes, several `VECTORIZED` functions or others
    than those listed above, without source text, or within another function.
    """

    def __init__(self, formula: Callable, bindings: Bindings | None = None):
        bindings = bindings or Bindings(formula)
        tree = bindings.tree()
        self.arrays = [a.arg for a in tree.args.args]
        keywords = [a.arg for a in tree.args.kwonlyargs]
        self.assigned = [name for statement in tree.body for name in assigned_names(statement)]
        own = {*self.arrays, *keywords, *self.assigned}
        values = {name: bindings.value(name) for name in sorted(names(tree) - own)}
        modules = {name: value for name, value in {"np": np, "math": math}.items() if values.get(name) is value}
        self.numbers = modules | {n: v for n, v in values.items() if type(v) in (int, float, np.float64)}
        self.calls = {"abs", "min", "max", "float"} & {n for n, v in values.items() if v is vars(builtins).get(n)}
        self.doubles_named = {n for n, v in self.numbers.items() if type(v) is np.float64}
        self.known = {*keywords, *self.numbers}
        self.replaced: dict[str, str] = {}
        self.lines: list[str] = []
        self.ufunc: np.ufunc | None = None
        self.inner: str | None = None
        self.constants: dict[str, Any] = {}
        self.double: set[str] = set()
        self.widened: dict[str, str] = {}

        *before, last = tree.body
        if not isinstance(last, ast.Return) or last.value is None or any(isinstance(s, ast.Return) for s in before):
            raise NotCertain("the formula does not end with what it returns")
        body = [line for statement in tree.body if (line := self.visit(statement))]
        texts = {name: text for text, name in self.replaced.items()}
        texts |= {wide: texts[name] for name, wide in self.widened.items()}
        self.scalars = [name for name in texts if name not in self.constants]
        self.doubles = [name for name in self.scalars if name in self.double]
        self.source = _function(tree.name, [*self.arrays, *(["_applied"] if self.ufunc else []), *self.scalars], body)
        once = [f"def once({'*, ' if keywords else ''}{', '.join(keywords)}):", *self.lines]
        once.append(f"return ({''.join(f'{texts[name]}, ' for name in self.scalars)})")
        self.once = define("\n    ".join(once), dict(self.numbers))

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.expr):
            return super().visit(node)
        if self._scalar(node):
            return self._named(node)
        kind = type(node).__name__
        if kind not in ("Name", "BinOp", "UnaryOp", "Call", "IfExp", "Tuple"):
            raise NotCertain(f"a compiled loop may do something else with {ast.unparse(node)}")
        return super().visit(node)

    def _scalar(self, node):
        if not names(node) <= self.known | self.calls or isinstance(node, ast.Tuple):
            return False
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                function = ast.unparse(part.func)
                if part.keywords or not (function in OF_SCALARS or function.startswith("math.")):
                    raise NotCertain(f"{function} is not among the functions of numbers that are certain")
            elif not isinstance(part, SCALAR_NODES) or (
                isinstance(part, ast.Attribute) and ast.unparse(part.value) not in ("np", "math")
            ):
                raise NotCertain(f"{ast.unparse(node)} is more than arithmetic")
        return True

    def _makes_double(self, node):
        """Whether NumPy makes of these numbers a double, which keeps its precision beside an array of singles."""
        calls = {ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
        double = bool(names(node) & self.doubles_named or any(name.startswith("np.") for name in calls))
        if double and (calls & self.calls or any(isinstance(part, ast.IfExp | ast.BoolOp) for part in ast.walk(node))):
            raise NotCertain(f"the precision of {ast.unparse(node)}")
        return double

    def _named(self, node):
        text = ast.unparse(node)
        if text not in self.replaced:
            constant = names(node) <= self.numbers.keys() | self.calls
            name = self.replaced[text] = f"{'_constant' if constant else '_scalar'}_{len(self.replaced)}"
            if constant:
                self.constants[name] = self._value(text)
            if type(self.constants.get(name)) is np.float64 or (not constant and self._makes_double(node)):
                self.double.add(name)
        return ast.Name(self.replaced[text], ast.Load())

    def _is_double(self, node):
        """Whether an expression of arrays, already visited, is of double precision in any case."""
        if isinstance(node, ast.IfExp):
            return self._is_double(node.body) or self._is_double(node.orelse)
        if isinstance(node, ast.Name):
            return node.id in self.double
        return any(map(self._is_double, ast.iter_child_nodes(node)))

    def _is_number(self, node):
        return isinstance(node, ast.Name) and node.id in self.replaced.values() and node.id not in self.double

    def _widened(self, node):
        """The number that meets an array of doubles: it has their precision."""
        wide = self.widened.setdefault(node.id, f"{node.id}_double")
        self.double.add(wide)
        if node.id in self.constants:
            self.constants[wide] = np.float64(self.constants[node.id])
        return ast.Name(wide, ast.Load())

    def _same_precision(self, *nodes):
        if any(map(self._is_double, nodes)) and any(map(self._is_number, nodes)):
            raise NotCertain("a choice between numbers of two precisions")

    def visit_Expr(self, node: ast.Expr) -> Any:  # the docstring
        return None

    def visit_Assign(self, node: ast.Assign) -> Any:
        scalar, own = self._scalar(node.value), set(assigned_names(node))
        if own & self.known or (scalar and any(self.assigned.count(name) > 1 for name in own)):
            raise NotCertain("a scalar of the formula changes")
        if not scalar:
            node.value = self.visit(node.value)
            if self._is_double(node.value):
                self.double |= own
            return node
        self.lines.append(ast.unparse(node))  # a scalar with a name of its own: the whole line is done once
        self.known |= own
        if self._makes_double(node.value):
            self.doubles_named |= own
        return None

    def visit_Call(self, node: ast.Call) -> Any:
        function = ast.unparse(node.func)
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise NotCertain(f"{function} with further arguments")
        if "np" not in self.numbers or function not in {*CHOICES, *VECTORIZED, *EXACT}:
            raise NotCertain(f"{function} may give other results for one element than for an array")
        count, text = CHOICES.get(function, (1, None))
        if len(node.args) != count:
            raise NotCertain(f"{function} of {len(node.args)} arguments")
        if function == "np.where":
            return self._where(*node.args)
        if text:
            return self._choice(text, node.args)
        node.args = [self.visit(argument) for argument in node.args]
        return self._vectorized(node, function) if function in VECTORIZED else node

    def _choice(self, text, arguments):
        arguments = [self.visit(argument) for argument in arguments]
        self._same_precision(*arguments)
        parts = [f"({ast.unparse(argument)})" for argument in arguments]
        numbers = {
            name: ast.unparse(self._named(_expression(NUMBERS[name]))) for name in NUMBERS if f"{{{name}}}" in text
        }
        return _expression(text.format(*parts, **numbers))

    def _where(self, condition, yes, no):
        if self._scalar(yes) and self._scalar(no):  # NumPy makes an array of doubles of two numbers
            yes, no = (_expression(f"np.float64({ast.unparse(x)})") for x in (yes, no))
        test = self.visit(condition) if self._scalar(condition) else self._comparison(condition)
        yes, no = self.visit(yes), self.visit(no)
        self._same_precision(yes, no)
        return ast.IfExp(test, yes, no)

    def _comparison(self, node):
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], COMPARISONS)):
            raise NotCertain(f"np.where with {ast.unparse(node)}, which is not one comparison of arrays")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        self._same_precision(left, right)
        return ast.Compare(left, node.ops, [right])

    def _vectorized(self, node, function):
        unchanged = {*self.arrays, *self.replaced.values(), "np"} - {*self.assigned}
        if self.ufunc or not names(node.args[0]) <= unchanged:
            raise NotCertain(f"more than one function such as {function}, or one of an intermediate result")
        if any(name.startswith("_scalar") for name in names(node.args[0])) or self._is_double(node.args[0]):
            raise NotCertain(f"{function} of a scalar and an array, or of doubles")
        self.ufunc = getattr(np, function.removeprefix("np."))
        self.inner = _function("inner", self.arrays, [ast.Return(node.args[0])])
        return ast.Name("_applied", ast.Load())

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value in (2, 3):
            node.left = self.visit(node.left)  # a**3 keeps its number and becomes a product
            return node
        if not isinstance(node.op, ARITHMETIC):
            raise NotCertain(f"a compiled loop may do something else with {ast.unparse(node)}")
        self.generic_visit(node)
        if self._is_double(node.left) and self._is_number(node.right):
            node.right = self._widened(node.right)
        if self._is_double(node.right) and self._is_number(node.left):
            node.left = self._widened(node.left)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if not isinstance(node.op, ast.USub | ast.UAdd):
            raise NotCertain(f"a compiled loop may do something else with {ast.unparse(node)}")
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        if not self._scalar(node.test):
            raise NotCertain(f"a choice by an array: {ast.unparse(node)}")
        self.generic_visit(node)
        self._same_precision(node.body, node.orelse)
        return node

    def _value(self, text):
        value = eval(text, dict(self.numbers))
        if not isinstance(value, int | float):
            raise NotCertain(f"{text} is no number")
        return value


SCALAR_NODES = (
    *(ast.Name, ast.Constant, ast.Attribute, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.BoolOp),
    *(ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.expr_context),
)


def _line(statement):
    return ast.unparse(statement).partition("\n")[0]


def _expression(text):
    return ast.parse(text, mode="eval").body


def names(node: ast.AST) -> set[str]:
    """The names that an expression uses."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def assigned_names(statement: ast.stmt) -> list[str]:
    """The names that a statement assigns to. Raises NotCertain for one that a straight line does not have."""
    if isinstance(statement, ast.Return) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ):
        return []
    if not isinstance(statement, ast.Assign):
        raise NotCertain(f"the formula has a statement that is no assignment: {_line(statement)}")
    named = [n for target in statement.targets for n in (target.elts if isinstance(target, ast.Tuple) else [target])]
    plain_names = [target.id for target in named if isinstance(target, ast.Name)]
    if len(plain_names) < len(named):
        raise NotCertain(f"the formula writes into an array: {_line(statement)}")
    return plain_names


def define(source: str, globals_: dict[str, Any], file: str = __file__) -> Any:
    """The function that the source text defines."""
    exec(compile(source, file, "exec"), globals_)
    return globals_[next(n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))]


def _function(name, arguments, body):
    return f"def {name}({', '.join(arguments)}):\n" + textwrap.indent("\n".join(map(ast.unparse, body)), "    ")
