"""What stands for an array while a step is written down, and which functions of a user may be asked to use it.

A loss is called once, with `Symbol`s, and the recorder writes down what NumPy is asked to do with them. That is right
only if the function does the same whatever the numbers are, and whenever it is called. `bindings_of` makes sure of it
before the function is called: it reads the text, and refuses all that is not listed here.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from muslin.engines.formula import Bindings, NotCertain, assigned_names

#: functions of NumPy that are no ufuncs and that a recorder knows
FUNCTIONS = (np.vdot, np.sum)
#: further arguments that may be passed to NumPy, if they are constants
OPTIONS = {"axis", "keepdims"}
#: arrays of the user's module that a formula may use; they are read anew in each step
KINDS = "?bBhHiIlLqQfd"
#: what an expression is: a number, an array of the module, or made of the batch
NUMBER, OWN, BATCH = range(3)


class CannotRecord(NotCertain):
    """The step does something that a tape has no call for, or may do something else the next time; says what."""


class Symbol(NDArrayOperatorsMixin):
    """Stands for an array: what is asked of it goes to the recorder, and all that is no ufunc raises CannotRecord.

    It is no array, so that nothing can reach the numbers past the recorder.

    array  the memory that is read or written
    whole  all samples and units, where ``array`` holds a thread's share of them; units: the share, if it is of units
    """

    def __init__(self, recorder: Any, array: np.ndarray, whole: np.ndarray | None = None, units: slice | None = None):
        self.recorder, self.array, self.whole = recorder, array, array if whole is None else whole
        self.units = units

    @property
    def T(self) -> Symbol:
        return Symbol(self.recorder, self.array.T, self.whole.T)

    def __array_ufunc__(self, function, method, *inputs, out=(None,), **options):
        return self.recorder.call(function, method, inputs, out[0], options)

    def __array_function__(self, function, types, arguments, options):
        return self.recorder.other(function, arguments, options)

    def _refuse(self, *arguments, **options):
        raise CannotRecord("the numbers of an array are looked at, or written into, outside NumPy's ufuncs")

    __array__ = __bool__ = __float__ = __int__ = __complex__ = __index__ = __len__ = __iter__ = _refuse
    __getitem__ = __setitem__ = __contains__ = __copy__ = __deepcopy__ = __reduce_ex__ = __format__ = _refuse

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise CannotRecord(f"an array is asked for .{name}")


def bindings_of(function: Callable) -> list[Bindings]:
    """What is taken from their modules by the function and those that it calls. Raises CannotRecord.

    A function passes that is a straight line of assignments to names and of arithmetic, calls nothing but ufuncs of
    NumPy, their ``reduce``, `FUNCTIONS`, `math` and other such functions, and reads of its module only numbers and
    arrays. What it makes of such an array without the batch would be done once, while it is written down.
    """
    return _line(function).bindings


def _line(function, inside=(), kinds=()):
    if not isinstance(function, FunctionType):
        raise CannotRecord(f"{function!r} is no plain function")
    if function in inside:
        raise CannotRecord(f"{function.__name__} calls itself")
    return _Line(function, (*inside, function), kinds)


class _Line(ast.NodeVisitor):
    """A function read line by line; ``kind``: what it returns. Each expression's visit returns its kind.

    kinds: of the arguments, of which those that are not said are made of the batch.
    """

    def __init__(self, function, inside, kinds):
        self.function, self.inside, self.own = function, inside, Bindings(function)
        self.bindings = [self.own]
        try:
            tree = self.own.tree()
            if tree.args.kwonlyargs:
                raise NotCertain("it has keyword arguments")
            assigned = [name for statement in tree.body for name in _assigned(statement)]
            self.local = dict.fromkeys((*(a.arg for a in tree.args.args), *assigned), BATCH)
            self.local |= zip(self.local, kinds, strict=False)
            if not isinstance(tree.body[-1], ast.Return):
                raise NotCertain("it does not end with what it returns")
            for statement in tree.body:
                if not isinstance(statement, ast.Expr):
                    self.kind = self._assign(statement)
        except CannotRecord:
            raise
        except NotCertain as error:
            raise CannotRecord(f"{function.__name__}: {error}") from error

    def _assign(self, statement):
        kind, named = self.visit(statement.value), _assigned(statement)
        if isinstance(statement, ast.AugAssign):
            if self.visit(statement.target) == OWN:
                raise NotCertain(f"it changes an array of its module: {ast.unparse(statement)}")
            kind, named = self._made_of(statement.target, statement.value), [statement.target.id]
        self.local |= dict.fromkeys(named, kind)
        return kind

    def _made_of(self, *nodes):
        """The kind of what is made of these."""
        kind = max(map(self.visit, nodes), default=NUMBER)
        if kind == OWN:
            raise NotCertain(f"something is made of {', '.join(map(ast.unparse, nodes))} without the batch")
        return kind

    def generic_visit(self, node):
        raise NotCertain(f"a tape has nothing for {ast.unparse(node)}")

    def visit_Constant(self, node):
        if type(node.value) not in (int, float, bool):
            raise NotCertain(f"{node.value!r} is no number")
        return NUMBER

    def visit_Name(self, node):
        if node.id in self.local:
            return self.local[node.id]
        value = self.own.value(node.id)
        if type(value) is np.ndarray and value.dtype.char in KINDS:
            return OWN
        if type(value) not in (int, float) and not isinstance(value, np.floating | np.integer):
            raise NotCertain(f"{node.id} is neither a number nor an array of numbers")
        return NUMBER

    def visit_Attribute(self, node):  # math.pi
        if not isinstance(self._resolved(node), float):
            raise NotCertain(f"a tape has nothing for {ast.unparse(node)}")
        return NUMBER

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            raise NotCertain(f"a choice by an array: {ast.unparse(node)}")
        return self._made_of(node.operand)

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.MatMult):
            raise NotCertain(f"a matrix product: {ast.unparse(node)}")
        return self._made_of(node.left, node.right)

    def visit_Compare(self, node):
        if len(node.ops) > 1 or isinstance(node.ops[0], ast.Is | ast.IsNot | ast.In | ast.NotIn):
            raise NotCertain(f"a choice by an array: {ast.unparse(node)}")
        return self._made_of(node.left, node.comparators[0])

    def visit_Call(self, node):
        called, text = self._resolved(node.func), ast.unparse(node.func)
        kinds = [self.visit(argument) for argument in node.args]
        for option in node.keywords:
            if option.arg not in OPTIONS or not isinstance(option.value, ast.Constant | ast.UnaryOp):
                raise NotCertain(f"{text} with the argument {option.arg}")
            self.visit(option.value)
        numpys = called in FUNCTIONS or (isinstance(called, np.ufunc) and numpys_own(called))
        if numpys or called is abs or (text.startswith("math.") and callable(called)):
            return self._made_of(*node.args)
        if isinstance(called, FunctionType) and text.isidentifier() and not node.keywords:
            line = _line(called, self.inside, kinds)
            self.bindings += line.bindings
            return line.kind
        raise NotCertain(f"it is not known whether {text} does the same every time")

    def _resolved(self, node):
        """What a name, or an attribute of NumPy or `math`, stands for. ``add.reduce`` stands for ``add``."""
        if isinstance(node, ast.Name) and node.id not in self.local:
            return self.own.value(node.id)
        if isinstance(node, ast.Attribute):
            base = self._resolved(node.value)
            if base is np or base is math:
                return getattr(base, node.attr, None)
            if isinstance(base, np.ufunc) and node.attr == "reduce":
                return base
        raise NotCertain(f"it is not known what {ast.unparse(node)} is")


def _assigned(statement):
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        if isinstance(statement.op, ast.MatMult):
            raise NotCertain("a matrix product")
        return []
    return assigned_names(statement)


def numpys_own(function: np.ufunc) -> bool:
    """Whether it is a ufunc of NumPy itself, of elements: others may do with their arguments what they like."""
    return getattr(np, function.__name__, None) is function and function.signature is None
