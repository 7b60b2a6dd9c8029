"""Splits a formula into what is done once and what is done for each element, so that a loop can be made of it.

What NumPy does with the Python scalars of a formula must hold in a compiled loop too (NEP 50): ``1 - beta1`` is
computed in double precision, once a step, and takes the precision of the array where it meets one. A compiler that
sees only the loop would make all of it double precision: half as fast, and with other results.
"""

import ast
import inspect
import math
import textwrap

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
    "np.where": "({1} if {0} else {2})",
    "np.maximum": "({0} if {0} > {1} else {1} if {0} == {0} else {0})",
    "np.minimum": "({0} if {0} < {1} else {1} if {0} == {0} else {0})",
    "np.sign": "(1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0})",
}


class Split(ast.NodeTransformer):
    """The parts of a formula, a function of arrays (positional arguments) and scalars (keyword arguments).

    Each largest expression made of scalars and numbers alone is replaced by a name.

    ``arrays``     names of the array arguments
    ``source``     text of the function of one element: its arguments are the arrays' elements, then the ``scalars``
    ``once``       function of the keyword arguments that returns the values of the ``scalars``, in double precision
    ``constants``  {name: value} of the expressions that hold numbers only
    ``ufunc``      the `VECTORIZED` function in the formula, or None; where there is one, ``source`` takes its result
                   as one more argument, and ``inner`` is the text of the function of what it is applied to

    Raises ValueError for a formula that is more than a straight line of assignments, or of which it is not certain that
    the loop gives the same numbers: one with branches, a scalar that changes, several `VECTORIZED` functions or others
    than those listed above, without source text, or within another function.
    """

    def __init__(self, formula):
        tree = _tree(formula)
        self.globals = formula.__globals__
        self.arrays = [a.arg for a in tree.args.args]
        keywords = [a.arg for a in tree.args.kwonlyargs]
        numbers = {n for n, v in self.globals.items() if isinstance(v, int | float)} | {"np", "math"}
        self.assigned = [name for statement in tree.body for name in targets(statement)]
        self.numbers = numbers - {*self.arrays, *keywords, *self.assigned}
        self.known = {*keywords, *self.numbers}
        self.found, self.lines, self.ufunc, self.inner = {}, [], None, None

        body = [kept for statement in tree.body if (kept := self.visit(statement))]
        self.scalars = [name for name in self.found.values() if name.startswith("_scalar")]
        texts = {name: text for text, name in self.found.items()}
        self.constants = {name: self._value(texts[name]) for name in texts if name.startswith("_constant")}
        self.source = _function(tree.name, [*self.arrays, *(["_applied"] if self.ufunc else []), *self.scalars], body)
        once = [f"def once({'*, ' if keywords else ''}{', '.join(keywords)}):", *self.lines]
        once.append(f"return ({''.join(f'{texts[name]}, ' for name in self.scalars)})")
        self.once = define("\n    ".join(once), dict(self.globals))

    def visit(self, node):
        if not (isinstance(node, ast.expr) and names(node) <= self.known):
            return super().visit(node)
        kind = "_constant" if names(node) <= self.numbers else "_scalar"
        return ast.Name(self.found.setdefault(ast.unparse(node), f"{kind}_{len(self.found)}"), ast.Load())

    def visit_Expr(self, node):  # the docstring
        return None

    def visit_Assign(self, node):
        scalar, own = names(node.value) <= self.known, set(targets(node))
        if own & self.known or (scalar and any(self.assigned.count(name) > 1 for name in own)):
            raise ValueError("a scalar of the formula changes")
        if not scalar:
            return self.generic_visit(node)
        self.lines.append(ast.unparse(node))  # a scalar with a name of its own: the whole line is done once
        self.known |= own
        return None

    def visit_Call(self, node):
        function = ast.unparse(node.func)
        if function in CHOICES:
            arguments = (f"({ast.unparse(argument)})" for argument in node.args)
            return self.visit(ast.parse(CHOICES[function].format(*arguments), mode="eval").body)
        node.args = [self.visit(argument) for argument in node.args]
        if function in VECTORIZED:
            return self._vectorized(node, function)
        if function not in EXACT:
            raise ValueError(f"{function} may give other results for one element than for an array")
        return node

    def _vectorized(self, node, function):
        unchanged = {*self.arrays, *self.found.values(), "np"} - {*self.assigned}
        if self.ufunc or not names(node.args[0]) <= unchanged:
            raise ValueError(f"more than one function such as {function}, or one of an intermediate result")
        self.ufunc = getattr(np, function.removeprefix("np."))
        self.inner = _function("inner", self.arrays, [ast.Return(node.args[0])])
        return ast.Name("_applied", ast.Load())

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
            node.left = self.visit(node.left)  # a**3 keeps its number and becomes a product
            return node
        return self.generic_visit(node)

    def _value(self, text):
        return eval(text, dict(self.globals) | {"np": np, "math": math})


def names(node):
    """The names that an expression uses."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def targets(statement):
    """The names that a statement assigns to. Raises ValueError for one that a straight line does not have."""
    if isinstance(statement, ast.Return) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ):
        return []
    if not isinstance(statement, ast.Assign):
        raise ValueError(f"the formula has a statement that is no assignment: {ast.unparse(statement)}")
    return [n.id for target in statement.targets for n in ast.walk(target) if isinstance(n, ast.Name)]


def define(source, globals_, file=__file__):
    """The function that the source text defines."""
    exec(compile(source, file, "exec"), globals_)
    return globals_[ast.parse(source).body[0].name]


def _tree(formula):
    if getattr(formula, "__closure__", None):
        raise ValueError("the formula uses variables of the function around it")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(formula))).body[0]
    except (OSError, TypeError, SyntaxError) as error:  # typed into a bare interpreter, a lambda, a builtin
        raise ValueError("the formula has no source text") from error
    if not isinstance(tree, ast.FunctionDef) or tree.decorator_list:
        raise ValueError("the formula is not a plain function")
    return tree


def _function(name, arguments, body):
    return f"def {name}({', '.join(arguments)}):\n" + textwrap.indent("\n".join(map(ast.unparse, body)), "    ")
