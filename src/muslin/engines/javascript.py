"""The third engine: the same formulas as JavaScript, for pages.

A formula is read from its source text, as the numba engine reads it, and written again in JavaScript. All numbers of a
page are float64. What is translated depends on what a formula is a function of:

`function`     elements of arrays: an activation, a slope
`schedule`     numbers
`rule`         elements of θ, g and the slots, and scalars: an optimizer. What needs scalars alone is done once a step
`columns`      columns of a batch: a loss, its delta, log-softmax. Sums along axis 0 become sums over a column
`initializer`  a generator of random numbers and the shape: the one weight that is drawn next

Each raises ValueError, which says what of the formula cannot be translated; `program` collects these reasons.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from string import Formatter
from typing import Any, Self

import numpy as np

from muslin.engines.formula import Bindings, names

#: of the same name in NumPy, in Python's math and in JavaScript's Math
SAME: tuple[str, ...] = (
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "cbrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
)
SAME += ("floor", "ceil", "trunc")

#: function → what it is in JavaScript, for one element; a bare name is called with all arguments
CALLS: dict[Any, str] = {
    **{getattr(np, name): f"Math.{name}" for name in SAME},
    **{getattr(math, name): f"Math.{name}" for name in SAME},
    **{getattr(np, f"arc{name}"): f"Math.a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")},
    **{getattr(math, f"a{name}"): f"Math.a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")},
    **dict.fromkeys((np.abs, np.fabs, math.fabs, abs), "Math.abs"),
    **dict.fromkeys((np.power, math.pow), "Math.pow"),
    **dict.fromkeys((np.hypot, math.hypot), "Math.hypot"),
    **dict.fromkeys((np.isfinite, math.isfinite), "Number.isFinite"),
    **dict.fromkeys((np.isnan, math.isnan), "Number.isNaN"),
    np.maximum: "Math.max",
    np.minimum: "Math.min",
    max: "({1} > {0} ? {1} : {0})",
    min: "({1} < {0} ? {1} : {0})",
    np.sign: "Math.sign",
    np.logaddexp: "logaddexp",
    np.where: "({0} ? {1} : {2})",
    np.clip: "Math.min(Math.max({0}, {1}), {2})",
    np.square: "({0}) ** 2",
    np.exp2: "2 ** ({0})",
    np.reciprocal: "(1 / ({0}))",
    np.zeros_like: "(0 * {0})",
    np.ones_like: "(0 * {0} + 1)",
    np.float64: "({0})",
    float: "({0})",
}

#: what the translations call beside Math; it stands before them
PRELUDE = """\
const sum = (n, f) => { let s = 0; for (let i = 0; i < n; i++) s += f(i); return s; };
const largest = (n, f) => { let s = -Infinity; for (let i = 0; i < n; i++) s = Math.max(s, f(i)); return s; };
const smallest = (n, f) => { let s = Infinity; for (let i = 0; i < n; i++) s = Math.min(s, f(i)); return s; };
const mod = (a, b) => { const r = a % b; return r !== 0 && r < 0 !== b < 0 ? r + b : r; };
const logaddexp = (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))));
"""

OPERATORS = {ast.Add: ("+", 12), ast.Sub: ("-", 12), ast.Mult: ("*", 13), ast.Div: ("/", 13), ast.Pow: ("**", 14)}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!=="}
COMPARISONS |= {ast.Is: "===", ast.IsNot: "!=="}
UNARY = {ast.USub: "-", ast.UAdd: "+", ast.Not: "!", ast.Invert: "!"}
LOGICAL = {ast.And: ("&&", 5), ast.Or: ("||", 4), ast.BitAnd: ("&&", 5), ast.BitOr: ("||", 4)}
ATOM, PREFIX, COMPARE, CHOICE = 20, 15, 10, 3

#: words that a name of Python may be and one of JavaScript may not
RESERVED = {
    *("arguments", "await", "case", "catch", "const", "debugger", "default", "delete", "do", "enum", "eval", "export"),
    *("extends", "function", "implements", "instanceof", "interface", "let", "new", "package", "private", "protected"),
    *("public", "static", "super", "switch", "this", "throw", "typeof", "undefined", "var", "void", "with"),
    *("Infinity", "NaN", "Math", "Number", "sum", "largest", "smallest", "mod", "logaddexp"),
}


class Text(str):
    """JavaScript, with the precedence of its outermost operator; of `Columns` also its kind."""

    precedence: int
    kind: int

    def __new__(cls, text: str, precedence: int = ATOM) -> Self:
        self = super().__new__(cls, text)
        self.precedence = precedence
        return self

    def inside(self, precedence: int) -> str:
        """The text as an operand where nothing that binds weaker may stand."""
        return str(self) if self.precedence >= precedence else f"({self})"


class Helper(str):
    """The JavaScript of a function that a formula calls."""

    function: Callable[..., Any]

    def __new__(cls, function: Callable, text: str) -> Self:
        self = super().__new__(cls, text)
        self.function = function
        return self


class Expressions(ast.NodeVisitor):
    """Expressions of numbers.

    ``names_``   {name of Python: what stands for it}; any other name must be a number or a function of the module
    ``helpers``  {name: text} of the module's functions that were called
    """

    def __init__(self, globals_: Mapping[str, Any], names_: Mapping[str, str], helpers: dict[str, Any] | None = None):
        self.globals, self.names = globals_, dict(names_)
        self.helpers = {} if helpers is None else helpers

    def generic_visit(self, node: ast.AST) -> Any:
        raise ValueError(f"it has no JavaScript for {_start(node)}")

    def visit_Constant(self, node: ast.Constant) -> Text:
        return self.number(node.value)

    def number(self, value: object) -> Text:
        if value is None or isinstance(value, bool):
            return Text({None: "null", True: "true", False: "false"}[value])
        if not isinstance(value, int | float):
            raise ValueError(f"{value!r} is no number")
        text = repr(float(value)) if abs(value) > 2**53 or isinstance(value, float) else repr(int(value))
        text = text.replace("inf", "Infinity").replace("nan", "NaN")
        return Text(text, PREFIX if text.startswith("-") else ATOM)

    def visit_Name(self, node: ast.Name) -> Text:
        if node.id in self.names:
            return Text(self.names[node.id])
        return self.outside(node)

    def visit_Attribute(self, node: ast.Attribute) -> Text:
        return self.outside(node)

    def outside(self, node: ast.expr) -> Text:
        """A number of the module, or of NumPy or math."""
        value = self.value(node)
        if value is math.pi or value is np.pi:
            return Text("Math.PI")
        if isinstance(value, int | float):
            return self.number(value)
        raise ValueError(f"{ast.unparse(node)} is no number")

    def value(self, node: ast.expr) -> Any:
        """What a name of the module, dotted or not, stands for."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self.names:
            raise ValueError(f"it has no JavaScript for {_start(node)}")
        try:
            return eval(ast.unparse(node), {"__builtins__": builtins, **self.globals})
        except (NameError, AttributeError) as error:
            raise ValueError(f"{ast.unparse(node)} is not known where the formula stands") from error

    def visit_BinOp(self, node: ast.BinOp) -> Text:
        left, right, kind = self.visit(node.left), self.visit(node.right), type(node.op)
        if kind is ast.FloorDiv:
            return Text(f"Math.floor({left.inside(13)} / {right.inside(14)})")
        if kind is ast.Mod:
            return Text(f"mod({left}, {right})")
        if kind is ast.Add and isinstance(node.left, ast.Compare) and isinstance(node.right, ast.Compare):
            return self.generic_visit(node)  # of two comparisons NumPy makes one, JavaScript a number
        if kind in LOGICAL and all(isinstance(side, ast.Compare | ast.BinOp) for side in (node.left, node.right)):
            return self.logical(kind, [left, right])
        if kind not in OPERATORS:
            return self.generic_visit(node)
        sign, p = OPERATORS[kind]
        if kind is ast.Pow:  # JavaScript wants an operand with a sign in parentheses
            return Text(f"{left.inside(PREFIX + 1)} ** {right.inside(p)}", p)
        return Text(f"{left.inside(p)} {sign} {right.inside(p + 1)}", p)

    def visit_BoolOp(self, node: ast.BoolOp) -> Text:
        return self.logical(type(node.op), [self.visit(value) for value in node.values])

    def logical(self, kind: Any, values: Sequence[Text]) -> Text:
        sign, p = LOGICAL[kind]
        return Text(f" {sign} ".join(value.inside(p + 1) for value in values), p)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Text:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Invert) and not isinstance(node.operand, ast.Compare):
            return self.generic_visit(node)
        return Text(f"{UNARY[type(node.op)]}{operand.inside(PREFIX + 1)}", PREFIX)

    def visit_Compare(self, node: ast.Compare) -> Text:
        sides = [self.visit(side).inside(COMPARE + 1) for side in (node.left, *node.comparators)]
        if any(type(op) not in COMPARISONS for op in node.ops):
            return self.generic_visit(node)
        pairs = [f"{a} {COMPARISONS[type(op)]} {b}" for a, op, b in zip(sides, node.ops, sides[1:], strict=False)]
        return Text(" && ".join(pairs), COMPARE if len(pairs) == 1 else LOGICAL[ast.And][1])

    def visit_IfExp(self, node: ast.IfExp) -> Text:
        test, yes, no = (self.visit(part) for part in (node.test, node.body, node.orelse))
        return Text(f"{test.inside(CHOICE + 1)} ? {yes.inside(CHOICE)} : {no.inside(CHOICE)}", CHOICE)

    def visit_Tuple(self, node: ast.Tuple) -> Text:
        return Text(f"[{', '.join(self.visit(item) for item in node.elts)}]")

    def visit_Call(self, node: ast.Call) -> Text:
        if isinstance(node.func, ast.Name) and node.func.id in self.names:  # a function that is an argument
            return Text(f"{self.names[node.func.id]}({', '.join(self.arguments(node))})")
        function = self.value(node.func)
        known, arguments = self.translation(node.func, function), self.arguments(node)
        if len(arguments) != (getattr(function, "nin", 0) or _places(known) or len(arguments)):
            raise ValueError(f"{ast.unparse(node)} has more or fewer arguments than one element needs")
        return Text(known.format(*arguments) if "{" in known else f"{known}({', '.join(arguments)})")

    def translation(self, node: ast.expr, function: Callable[..., Any]) -> str:
        for other, text in CALLS.items():
            if other is function:
                return text
        if inspect.isfunction(function) and not function.__module__.startswith("numpy"):
            return self.helper(function)
        raise ValueError(f"{ast.unparse(node)} has no JavaScript")

    def arguments(self, node: ast.Call) -> list[Text]:
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise ValueError(f"it has no JavaScript for the named arguments of {ast.unparse(node.func)}")
        return [self.visit(argument) for argument in node.args]

    def helper(self, function: Callable[..., Any]) -> str:
        name = _name(function.__name__)
        if name not in self.helpers:
            self.helpers[name] = function  # it may call itself
            self.helpers[name] = Helper(function, _define(tree_of(function), function.__globals__, self.helpers))
        known = self.helpers[name]
        if getattr(known, "function", known) is not function:
            raise ValueError(f"it calls two functions that are named {name}")
        return name


class Statements(Expressions):
    """A function's lines, as a list of texts."""

    def lines(self, statements: Sequence[ast.stmt]) -> list[str]:
        return [line for statement in statements for line in self.visit(statement)]

    def declared(self, statements: Sequence[ast.stmt], arguments: Collection[str]) -> list[str]:
        """The line that declares what the statements assign to, and its names known."""
        count = Counter(_assigned(statements))
        own = [name for name in count if name not in arguments]
        self.names |= {name: _name(name) for name in own}
        once = (_assigned([s]) for s in statements if isinstance(s, ast.Assign) and len(s.targets) == 1)
        self.constant = {name for names_ in once if all(count[n] == 1 and n in own for n in names_) for name in names_}
        changing = [_name(name) for name in own if name not in self.constant]
        return [f"let {', '.join(changing)};"] if changing else []

    def visit_Expr(self, node: ast.Expr) -> list[str]:
        if isinstance(node.value, ast.Constant):  # the docstring
            return []
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> list[str]:
        return []

    def visit_Assign(self, node: ast.Assign) -> list[str]:
        value, own = self.visit(node.value), {*_assigned([node])}
        word = "const " if own and own <= self.constant else ""
        return [f"{word}{self.target(target)} = {value};" for target in node.targets]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[str]:
        return [f"{self.target(node.target)} = {self.visit(node.value)};"] if node.value else []

    def visit_AugAssign(self, node: Any) -> list[str]:
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return [f"{self.target(node.target)} = {self.visit(value)};"]

    def target(self, node: ast.expr) -> str:
        if isinstance(node, ast.Tuple):
            return f"[{', '.join(self.target(item) for item in node.elts)}]"
        if isinstance(node, ast.Name):
            return self.names[node.id]
        raise ValueError(f"it has no JavaScript for an assignment to {ast.unparse(node)}")

    def visit_If(self, node: ast.If) -> list[str]:
        lines = [f"if ({self.visit(node.test)}) {{", *_indented(self.lines(node.body))]
        if node.orelse:
            lines += ["} else {", *_indented(self.lines(node.orelse))]
        return [*lines, "}"]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> list[str]:
        inner = Statements(self.globals, self.names, self.helpers)
        return _function(inner, node).split("\n")

    def visit_Return(self, node: ast.Return) -> list[str]:
        return [f"return {self.visit(node.value)};"] if node.value else self.generic_visit(node)


def tree_of(formula: object) -> ast.FunctionDef:
    """The syntax tree of a formula."""
    if not inspect.isfunction(formula):
        raise ValueError("the formula is no plain function")
    return Bindings(formula).tree()


def function(formula: Callable) -> str:
    """The JavaScript function of a formula of arrays, for one element. Raises ValueError where there is none."""
    helpers: dict[str, str] = {}
    return _with(helpers, _define(tree_of(formula), formula.__globals__, helpers))


def schedule(formula: Callable) -> str:
    """The JavaScript function of a formula of numbers. Raises ValueError where there is none."""
    helpers: dict[str, str] = {}
    return _with(helpers, _function(Statements(formula.__globals__, {}, helpers), tree_of(formula)))


def _define(tree: ast.FunctionDef, globals_: Mapping[str, Any], helpers: dict[str, Any]) -> str:
    _keeps_arrays(tree, {a.arg for a in tree.args.args})
    return _function(Statements(globals_, {}, helpers), tree)


def _keeps_arrays(tree: ast.FunctionDef, kept: AbstractSet[str] = frozenset()) -> None:
    """Raises ValueError where NumPy would change an array that has another name too, or one that is to be kept: a
    number of JavaScript is nobody else's."""
    changed = {n.target.id for n in ast.walk(tree) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    values = [value for n in ast.walk(tree) if isinstance(n, ast.Assign) for value in _parts(n.value)]
    if changed & kept or (changed and any(isinstance(value, ast.Name) for value in values)):
        raise ValueError(f"it changes {', '.join(sorted(changed))} in place")


def _parts(node: ast.expr) -> list[ast.expr]:
    """What a value is one of: the items of a tuple, the two sides of a choice."""
    inner = (
        node.elts if isinstance(node, ast.Tuple) else (node.body, node.orelse) if isinstance(node, ast.IfExp) else ()
    )
    return [part for item in inner for part in _parts(item)] or [node]


def _function(statements: Statements, tree: ast.FunctionDef) -> str:
    arguments, defaults = _arguments(tree), _defaults(tree)
    values = {name: f" = {statements.visit(value)}" for name, value in defaults.items()}
    statements.names |= {name: _name(name) for name in (*arguments, tree.name)}
    inner = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    statements.names |= {name: _name(name) for name in inner}
    lines = [*statements.declared(tree.body, arguments), *statements.lines(tree.body)]
    listed = ", ".join(f"{_name(name)}{values.get(name, '')}" for name in arguments)
    return _block(f"function {_name(tree.name)}({listed})", lines)


class Rule(Statements):
    """An optimizer's rule for element ``$i``; ``once`` are the lines and {text: name} of what scalars alone decide."""

    def __init__(self, formula: Callable[..., Any]):
        tree = tree_of(formula)
        super().__init__(formula.__globals__, {})
        _keeps_arrays(tree)
        self.tree, arguments = tree, [a.arg for a in tree.args.args]
        if len(arguments) < 2:
            raise ValueError("a rule takes theta and g before anything else")
        self.theta, self.g, *self.slots = arguments
        self.scalars = {
            name: parameter.default if parameter.default is not parameter.empty else None
            for name, parameter in inspect.signature(formula).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        self.names = {name: _name(name) for name in (*arguments, *self.scalars)}
        self.assigned = Counter(_assigned(tree.body))
        self.fixed = {name for name in self.scalars if name not in self.assigned}
        if any(v is not None and not isinstance(v, int | float) for v in self.scalars.values()):
            raise ValueError("a default of a scalar is no number")
        self.once: list[str] = []
        self.hoisted: dict[str, str] = {}

    def scalar(self, node: ast.expr) -> bool:
        """Whether an expression depends on nothing but scalars that stay as they are."""
        used = names(node)
        return bool(used & self.fixed) and all(name in self.fixed or name not in self.names for name in used)

    def visit(self, node: Any) -> Any:
        if isinstance(node, ast.BinOp | ast.Call | ast.IfExp | ast.Compare) and self.scalar(node):
            plain = Expressions(self.globals, self.names, self.helpers)
            text = str(plain.visit(node))
            if text not in self.hoisted:
                self.hoisted[text] = f"${len(self.hoisted)}"
                self.once.append(f"const {self.hoisted[text]} = {text};")
            return Text(self.hoisted[text])
        return super().visit(node)

    def visit_Return(self, node: ast.Return) -> list[str]:
        written = [f"{name}$[$i]" for name in map(_name, (self.theta, *self.slots))]
        if isinstance(node.value, ast.Tuple):
            if len(node.value.elts) != len(written):
                raise ValueError(f"it returns {len(node.value.elts)} values for theta and {len(self.slots)} slots")
            values = [self.visit(value) for value in node.value.elts]
            return [*(f"{place} = {value};" for place, value in zip(written, values, strict=True)), "continue;"]
        value = self.visit(node.value)
        return [f"{written[0] if not self.slots else '[' + ', '.join(written) + ']'} = {value};", "continue;"]

    def text(self) -> str:
        arrays = list(map(_name, (self.theta, self.g, *self.slots)))
        loaded = [f"{name} = {name}$[$i]" for name in arrays]
        loaded[1] += f" + decay$ * {arrays[0]}"
        body = [*self.declared(self.tree.body, (*self.names,)), *self.lines(self.tree.body)]
        if body[-1] == "continue;":
            body.pop()
        loop = ["for (let $i = start$; $i < stop$; $i++) {", f"  let {', '.join(loaded)};", *_indented(body), "}"]
        slots = ", ".join(f"{name}$" for name in arrays[2:])
        scalars = ", ".join(f"{name}: {_name(name)}" if _name(name) != name else name for name in self.scalars)
        head = f"function {_name(self.tree.name)}({arrays[0]}$, {arrays[1]}$, [{slots}], "
        head += f"{{ {scalars} }}, decay$, start$, stop$)"
        return _with(self.helpers, _block(head, [*self.once, *loop]))


def rule(formula: Callable) -> str:
    """The JavaScript function that takes one step of an optimizer, in place, in a stretch of θ.

    Its arguments: θ, g, [slots], {scalars}, decay, start, stop. ``decay·θ`` is added to g first.
    """
    return Rule(formula).text()


CONSTANT, NUMBER, COLUMN, TOTAL = range(4)

#: reduction → the function of PRELUDE; those of NumPy's ufuncs, by the text that calls them, and as methods
REDUCTIONS = {np.sum: "sum", np.max: "largest", np.amax: "largest", np.min: "smallest", np.amin: "smallest"}
REDUCTIONS |= {np.mean: "mean"}
REDUCES = {np.add: "sum", np.maximum: "largest", np.minimum: "smallest"}
#: an element or a number that needs no name of its own
SIMPLE = re.compile(r"[\w$]+(\[\$at \+ \$i\]|\(\$i\))?")
METHODS = {"sum": "sum", "max": "largest", "min": "smallest", "mean": "mean"}


class Columns(Expressions):
    """Formulas of columns. Each text has a ``kind``: a constant, a number for each column, a column, or a total: what
    was summed over the whole batch, here the column's part of it.

    A column is written as its element ``$i``; what is computed on the way stands in ``lines``.
    """

    def __init__(
        self,
        globals_: Mapping[str, Any],
        names_: Mapping[str, str],
        kinds: Mapping[str, int],
        lines: list[str] | None = None,
    ):
        super().__init__(globals_, names_)
        self.kinds, self.lines = dict(kinds), [] if lines is None else lines
        self.seen: dict[ast.AST, int] = {}

    def visit(self, node: Any) -> Any:
        text = super().visit(node)
        if not hasattr(text, "kind"):
            text.kind = self.combined(node)
        self.seen[node] = text.kind
        return text

    def combined(self, node: ast.AST) -> int:
        """The kind of what is made of its parts. A total stays one where it is scaled, or added to another: only then
        is it the sum of its columns' parts."""
        kinds = [self.seen[part] for part in ast.iter_child_nodes(node) if part in self.seen]
        if TOTAL in kinds:
            op = type(getattr(node, "op", None))
            scaled = (op is ast.Mult and CONSTANT in kinds) or (op is ast.Div and kinds[1] == CONSTANT)
            if not (op in (ast.USub, ast.UAdd) or scaled or (op in (ast.Add, ast.Sub) and {*kinds} == {TOTAL})):
                raise ValueError(f"{ast.unparse(node)} is not the sum of what its columns give")
        return max(kinds, default=CONSTANT)

    def visit_Name(self, node: ast.Name) -> Text:
        return self.typed(super().visit_Name(node), self.kinds.get(node.id, CONSTANT))

    def typed(self, text: Text, kind: Any) -> Text:
        text.kind = kind
        return text

    def visit_Call(self, node: ast.Call) -> Text:
        if reduction := self.reduction(node):
            return self.reduced(node, *reduction)
        return self.inlined(node) or super().visit_Call(node)

    def reduction(self, node: ast.Call) -> tuple[ast.expr, str] | None:
        """(what is reduced, how) of a call that reduces, else None."""
        f = node.func
        if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id in self.kinds:
            if f.attr in METHODS:
                return f.value, METHODS[f.attr]
            raise ValueError(f"{ast.unparse(f)} has no JavaScript")
        if isinstance(f, ast.Attribute) and f.attr == "reduce" and (kind := self._known(REDUCES, f.value)):
            return node.args[0], kind
        if kind := self._known(REDUCTIONS, f):
            return node.args[0], kind
        if self._known({np.vdot: "vdot"}, f):
            return ast.BinOp(node.args[0], ast.Mult(), node.args[1]), "vdot"
        return None

    def _known(self, table: Mapping[Any, str], node: ast.expr) -> str | None:
        try:
            value = self.value(node)
        except ValueError:
            return None
        return next((kind for other, kind in table.items() if other is value), None)

    def reduced(self, node: ast.Call, inner: ast.expr, kind: Any) -> Text:
        text, axis = self.visit(inner), None if kind == "vdot" else self.axis(node)
        if axis is None:
            if kind not in ("sum", "vdot"):
                raise ValueError(f"{ast.unparse(node)} is not the sum of what its columns give")
            return self.typed(self.summed(text), TOTAL)
        if text.kind != COLUMN:
            raise ValueError(f"{ast.unparse(node)} reduces what is no column")
        folded = self.folded("sum" if kind == "mean" else kind, text)
        return self.typed(Text(self.line(f"{folded} / $n" if kind == "mean" else folded)), NUMBER)

    def axis(self, node: ast.Call) -> Any:
        """0 or None: along what a call reduces."""
        words = {word.arg: word.value for word in node.keywords if word.arg != "keepdims"}
        method = isinstance(node.func, ast.Attribute) and self.kinds.get(ast.unparse(node.func.value)) is not None
        ufunc = isinstance(node.func, ast.Attribute) and node.func.attr == "reduce"
        more = [*node.args[0 if method else 1 :], *([words.pop("axis")] if "axis" in words else [])]
        along = more[0] if more else ast.Constant(0 if ufunc else None)
        if words or len(more) > 1 or not isinstance(along, ast.Constant) or along.value not in (0, None):
            raise ValueError(f"it has no JavaScript for {ast.unparse(node)}")
        return along.value

    def summed(self, text: Text) -> Text:
        if text.kind == CONSTANT:
            raise ValueError("a sum of what is the same in every column")
        return Text(self.folded("sum", text) if text.kind == COLUMN else f"({text})")

    def folded(self, kind: Any, text: Text) -> str:
        return f"{kind}($n, ($i) => {text})"

    def line(self, text: str) -> str:
        """The name under which a number of the column is kept."""
        for line in self.lines:
            if line.endswith(f" = {text};"):
                return line.split()[1]
        name = f"${len(self.lines)}"
        self.lines.append(f"const {name} = {text};")
        return name

    def visit_Subscript(self, node: ast.Subscript) -> Text:
        if ast.unparse(node).endswith(".shape[0]") and names(node) <= {n for n, k in self.kinds.items() if k == COLUMN}:
            return self.typed(Text("$n"), CONSTANT)
        return self.generic_visit(node)

    def inlined(self, node: ast.Call) -> Text | None:
        """A call of another function of the module: its lines, with the arguments in place of its own."""
        try:
            function = self.value(node.func)
        except ValueError:
            return None
        if not inspect.isfunction(function) or any(function is known for known in CALLS):
            return None
        tree, inner = tree_of(function), Columns(function.__globals__, {}, {}, self.lines)
        values = [self.visit(argument) for argument in node.args]
        if node.keywords or len(values) != len(tree.args.args):
            raise ValueError(f"it has no JavaScript for {ast.unparse(node)}")
        for argument, value in zip(tree.args.args, values, strict=True):
            inner.bind(argument.arg, value)
        return inner.body(tree)

    def bind(self, name: str, text: Text) -> None:
        """From now on the name stands for the text: a column as a function of its element, a number by its value."""
        kind, short = text.kind, str(text)
        if kind == COLUMN and not SIMPLE.fullmatch(text):
            own = f"{_name(name)}${len(self.lines)}"
            self.lines.append(f"const {own} = ($i) => {text};")
            short = f"{own}($i)"
        elif kind in (NUMBER, TOTAL) and not SIMPLE.fullmatch(text):
            short = self.line(text)
        elif kind == CONSTANT:
            short = text.inside(ATOM)
        self.names[name], self.kinds[name] = short, kind

    def body(self, tree: ast.FunctionDef) -> Text:
        """What a function returns, after its lines; its named arguments have their defaults."""
        defaults = _defaults(tree)
        for argument in tree.args.kwonlyargs:
            if argument.arg not in defaults:
                raise ValueError(f"it needs the named argument {argument.arg}")
            self.bind(argument.arg, self.visit(defaults[argument.arg]))
        for statement in tree.body:
            if isinstance(statement, ast.Return):
                return self.visit(statement.value)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            named = [t for t in getattr(statement, "targets", ()) if isinstance(t, ast.Name)]
            if not isinstance(statement, ast.Assign) or len(named) < len(statement.targets):
                raise ValueError(f"it has no JavaScript for {_start(statement)}")
            value = self.visit(statement.value)
            for target in named:
                self.bind(target.id, value)
        raise ValueError("it returns nothing")


def columns(formula: Callable, total: bool = False) -> str:
    """The JavaScript function of one column: of n elements, from ``at`` in each of the arrays that it is given.

    A formula that returns columns writes into one more array, which is none of its arguments, or, for a ``total``,
    returns the column's sum; one that returns the sum over the batch returns the column's part of it.
    """
    tree = tree_of(formula)
    arguments = [a.arg for a in tree.args.args]
    elements = {name: f"{_name(name)}[$at + $i]" for name in arguments}
    column = Columns(formula.__globals__, elements, dict.fromkeys(arguments, COLUMN))
    value = column.body(tree)
    if total and value.kind == COLUMN:
        value = column.typed(column.summed(value), TOTAL)
    kind = value.kind
    if kind not in (COLUMN, TOTAL):
        raise ValueError("it returns neither columns nor a sum over the batch")
    out = ["$out"] if kind == COLUMN else []
    head = f"function {_name(tree.name)}($n, $at, {', '.join([*map(_name, arguments), *out])})"
    last = f"for (let $i = 0; $i < $n; $i++) $out[$at + $i] = {value};" if out else f"return {value};"
    return _with(column.helpers, _block(head, [*column.lines, last]))


#: the methods of a generator that a page has, without the shape
DRAWS = ("standard_normal", "normal", "uniform", "random")
FILLED = {np.zeros: "0", np.ones: "1"}


class Draws(Statements):
    """An initializer's lines, for the weight that is drawn next. ``rng``: its name of the generator."""

    def __init__(self, formula: Callable[..., Any], rng: str):
        super().__init__(formula.__globals__, {})
        self.rng = rng

    def visit_Call(self, node: ast.Call) -> Text:
        method = node.func
        shape = [word for word in node.keywords if word.arg in ("size", "shape")]
        node = ast.Call(method, node.args, [word for word in node.keywords if word not in shape])
        if not shape and node.args and isinstance(node.args[-1], ast.Tuple):
            node.args = node.args[:-1]
        if isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name) and method.value.id == self.rng:
            if method.attr not in DRAWS:
                raise ValueError(f"{ast.unparse(method)} has no JavaScript")
            return Text(f"{self.names[self.rng]}.{method.attr}({', '.join(self.arguments(node))})")
        for other, text in FILLED.items():
            if self.value(method) is other:
                return Text(text)
        return super().visit_Call(node)


def initializer(formula: Callable) -> str:
    """The JavaScript function (rng, n_out, n_in) that returns one weight, drawn from rng."""
    tree = tree_of(formula)
    statements = Draws(formula, _arguments(tree)[0])
    return _with(statements.helpers, _function(statements, tree))


def lines(formula: Callable) -> list[tuple[str, str, str]] | None:
    """A formula line by line, to be looked at while it computes: [(name, text in Python, JavaScript)].

    The JavaScript is a function of an object ``$`` with the values of all names. None where there are branches
    or sums.
    """
    tree = tree_of(formula)
    helpers: dict[str, str] = {}
    known = [*_arguments(tree), *_assigned(tree.body)]
    expressions = Expressions(formula.__globals__, {name: f"$.{name}" for name in known}, helpers)
    try:
        texts = [
            (name, ast.unparse(value), f"($) => {expressions.visit(value)}")
            for statement in tree.body
            for name, value in _equations(statement, [a.arg for a in tree.args.args])
        ]
    except ValueError:
        return None
    return None if helpers else texts


def _equations(statement: ast.stmt, arguments: Sequence[str]) -> Iterable[tuple[str, ast.expr]]:
    """[(name, expression)] of a statement. What a rule returns goes to theta and the slots, any other result to ""."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return [(statement.targets[0].id, statement.value)]
    if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
        return zip((arguments[0], *arguments[2:]), statement.value.elts, strict=False)
    if isinstance(statement, ast.Return) and statement.value:
        return [("", statement.value)]
    if isinstance(statement, ast.Expr):
        return []
    raise ValueError("a branch")


def source(formula: Callable) -> str:
    """The formula as it stands in its file, without type hints."""
    text = textwrap.dedent(inspect.getsource(formula)).strip()
    (tree,) = (statement for statement in ast.parse(text).body if isinstance(statement, ast.FunctionDef))
    for argument in (*tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    body = "\n".join(text.split("\n")[tree.body[0].lineno - 1 :])
    return f"def {tree.name}({ast.unparse(tree.args)}):\n{body}"


#: kind of formula → how each of a row's functions is translated, and the names under which a page has them
KINDS: dict[str, dict[str, Callable[..., str]]] = {
    "activations": {"f": function, "slope": function},
    "losses": {"f": partial(columns, total=True), "delta": columns},
    "optimizers": {"update": rule},
    "initializers": {"draw": initializer},
    "schedules": {"factor": schedule},
    "outputs": {"f": columns},
    "helpers": {"f": schedule},
}


def row(kind: str, formulas: Callable | tuple[Callable, ...]) -> str:
    """One row of a table as a JavaScript object. Raises ValueError where one of its formulas cannot be translated."""
    formulas = formulas if isinstance(formulas, tuple) else (formulas,)
    entries = []
    for (name, translate), formula in zip(KINDS[kind].items(), formulas, strict=True):
        entries.append(f"{name}: {translate(formula)}")
    if kind == "optimizers":
        optimizer = Rule(*formulas)
        entries += [f"slots: {_json(optimizer.slots)}", f"scalars: {_json(optimizer.scalars)}"]
    if kind in ("activations", "losses", "optimizers"):
        entries.append(f"lines: {_lines(formulas)}")
    entries.append(f"source: {_json([source(formula) for formula in formulas])}")
    return "{\n" + textwrap.indent(",\n".join(entries), "  ") + "\n}"


def program(tables: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, dict[str, str]]]:
    """(the JavaScript ``const formulas = …`` with every row of the tables, {table: {name: why it is not in it}}).

    tables: {a key of `KINDS`: {name: formula, or formulas}}
    """
    texts: list[str] = []
    missing: dict[str, dict[str, str]] = {}
    for kind, table in tables.items():
        rows = []
        for name, formulas in table.items():
            try:
                rows.append(f"{_json(name)}: {row(kind, formulas)}")
            except ValueError as error:
                missing.setdefault(kind, {})[name] = str(error)
        texts.append(f"{kind}: {{\n{textwrap.indent(_listed(rows), '  ')}}}")
    text = textwrap.indent(f"{PRELUDE}return {{\n{textwrap.indent(_listed(texts), '  ')}}};", "  ")
    return f"const formulas = (() => {{\n{text}\n}})();\n", missing


def _listed(texts: Iterable[str]) -> str:
    return "".join(f"{text},\n" for text in texts)


def _lines(formulas: Iterable[Callable[..., Any]]) -> str:
    steps = [lines(formula) for formula in formulas]
    return f"[{', '.join('null' if s is None else _steps(s) for s in steps)}]"


def _steps(steps: Iterable[tuple[str, str, str]]) -> str:
    return "[" + ", ".join(f"[{_json(name)}, {_json(text)}, {code}]" for name, text, code in steps) + "]"


def _json(value: object) -> str:
    """A value that may stand within a script of an HTML page."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _with(helpers: dict[str, Any], text: str) -> str:
    """A function together with those that it calls."""
    if not helpers:
        return text
    return "(() => {\n" + textwrap.indent("\n".join([*helpers.values(), f"return {text};"]), "  ") + "\n})()"


def _name(name: str) -> str:
    return f"{name}_" if name in RESERVED else name


def _arguments(tree: ast.FunctionDef) -> list[str]:
    return [a.arg for a in (*tree.args.args, *tree.args.kwonlyargs)]


def _defaults(tree: ast.FunctionDef) -> dict[str, ast.expr]:
    """{argument: the expression of its default}"""
    a = tree.args
    return {word.arg: value for word, value in zip(a.kwonlyargs, a.kw_defaults, strict=True) if value}


def _places(template: str) -> int:
    return len({field for _, field, _, _ in Formatter().parse(template) if field})


def _assigned(statements: Iterable[ast.stmt]) -> list[str]:
    """The names that statements assign to, those in branches too; not those of functions among them."""
    names = []
    for statement in statements:
        if isinstance(statement, ast.If):
            names += _assigned(statement.body) + _assigned(statement.orelse)
        elif isinstance(statement, ast.Assign):
            names += [n.id for t in statement.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and isinstance(statement.target, ast.Name):
            names.append(statement.target.id)
    return names


def _start(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0].strip()


def _indented(texts: Iterable[str]) -> list[str]:
    return [textwrap.indent(text, "  ") for text in texts]


def _block(head: str, body: Iterable[str]) -> str:
    return "\n".join([f"{head} {{", *_indented(body), "}"])
