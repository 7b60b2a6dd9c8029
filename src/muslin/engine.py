"""How a formula meets arrays. One formula, two engines.

The numpy engine calls a formula with whole arrays. The numba engine compiles the *same* function into one loop over
the elements: no temporaries, one pass over memory. Matrix products are no formula's business: they stay `np.matmul`.

What NumPy does with the Python scalars of a formula holds in the compiled loop too (NEP 50): ``1 - beta1`` is computed
in double precision, once a step, and takes the precision of the array where it meets one. Numba alone would make the
whole loop double precision, half as fast and with other results. `Split` is where that is seen to.
"""

import ast
import hashlib
import importlib.util
import inspect
import textwrap

import numpy as np

from muslin.errors import InputError, unknown

#: elements that a formula is given at a time: its temporaries stay in the processor's cache
BLOCK = 16_384


class NumpyEngine:
    """Formulas on whole arrays, as NumPy evaluates them."""

    name = "numpy"

    def gather(self, X, rows, out):
        """out[j] ← X[rows[j]], as floats; uint8 is scaled by 1/255.  X: (N × n), out: (len(rows) × n)."""
        if X.dtype == np.uint8:
            np.multiply(X[rows], out.dtype.type(1 / 255), out=out)
        else:
            out[...] = X[rows]

    def activate(self, function, A, b, H):
        """A ← A + b;  H ← f(A).  A, H: (n × B) in Fortran order, b: (n × 1)."""
        A += b
        H[...] = function(A)

    def slope(self, slope, dH, A, H, dA):
        """dA ← dH ∘ f′(A).  All (n × B) in Fortran order."""
        np.multiply(dH, slope(A, H), out=dA)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        """One optimizer step in place: θ, slots ← rule(θ, g + decay·θ, slots, scalars), block by block."""
        for i in range(0, theta.size, BLOCK):
            block = slice(i, i + BLOCK)
            gradient = g[block] + decay * theta[block] if decay else g[block]
            new = rule(theta[block], gradient, *(s[block] for s in slots), **scalars)
            for array, value in zip((theta, *slots), new if slots else (new,), strict=True):
                array[block] = value


class NumbaEngine(NumpyEngine):
    """The same formulas, compiled. What cannot be compiled, or would gain nothing, stays with NumPy."""

    name = "numba"

    def __init__(self):
        self._compiled = {}

    def gather(self, X, rows, out):
        if X.flags.c_contiguous and X.dtype in (np.uint8, np.float32, np.float64):
            scale = out.dtype.type(1 / 255 if X.dtype == np.uint8 else 1)
            self._loop(None, out.dtype, GATHER)(X, rows, scale, out)
        else:
            super().gather(X, rows, out)

    def activate(self, function, A, b, H):
        loop = self._loop(function, A.dtype, ACTIVATE)
        loop(A.T, b[:, 0], H.T) if loop else super().activate(function, A, b, H)

    def slope(self, slope, dH, A, H, dA):
        loop = self._loop(slope, A.dtype, SLOPE)
        loop(dH.T, A.T, H.T, dA.T) if loop else super().slope(slope, dH, A, H, dA)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        loop = self._loop(rule, theta.dtype, UPDATE)
        if loop:
            real = theta.dtype.type
            loop(theta, g, *slots, real(decay), *map(real, loop.once(**scalars)))
        else:
            super().update(rule, theta, g, slots, scalars, decay)

    def _loop(self, formula, dtype, template):
        key = formula, dtype, template
        if key not in self._compiled:
            self._compiled[key] = _compile(formula, dtype, template)
        return self._compiled[key]


# The loops that formulas are put into. {…} are filled in with the formula's own slots and scalars.

GATHER = """
def gather(X, rows, scale, out):
    for j in range(rows.size):
        for i in range(X.shape[1]):
            out[j, i] = X[rows[j], i] * scale
"""

ACTIVATE = """
def activate(A, b, H):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            a = A[j, i] + b[i]
            A[j, i] = a
            H[j, i] = formula(a)
"""

SLOPE = """
def slope(dH, A, H, dA):
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            dA[j, i] = dH[j, i] * formula(A[j, i], H[j, i])
"""

UPDATE = """
def update(theta, g{slots}, decay{scalars}):
    for i in range(theta.size):
        theta[i]{slots_i} = formula(theta[i], g[i] + decay * theta[i]{slots_i}{scalars})
"""

#: the dimensions of each loop's arguments
RANKS = {ACTIVATE: (2, 1, 2), SLOPE: (2, 2, 2, 2)}

#: NumPy has these vectorized and LLVM has not: a formula that calls one is faster on whole arrays
TRANSCENDENTAL = {"exp", "expm1", "exp2", "log", "log1p", "log2", "tanh", "sinh", "cosh", "sin", "cos", "tan", "arctan"}

#: what these do to one element. As a choice they are one vector instruction; numba's own versions branch or allocate.
CHOICES = {
    "np.where": "({1} if {0} else {2})",
    "np.maximum": "({0} if ({0} > {1}) | ({0} != {0}) else {1})",
    "np.minimum": "({0} if ({0} < {1}) | ({0} != {0}) else {1})",
    "np.sign": "({0} if {0} != {0} else ({0} > 0) - ({0} < 0))",
}


def _compile(formula, dtype, template):
    """The loop around the formula, compiled for the dtype; None where the formula is better left to NumPy."""
    from numba.core.errors import NumbaError

    if formula is None:
        return _jit(_define(template, {}), template)
    if formula.__closure__ or TRANSCENDENTAL & set(formula.__code__.co_names):
        return None
    try:
        split = Split(formula)
    except (OSError, TypeError, SyntaxError):  # no source: typed into a bare interpreter, or a lambda
        return None
    slots, scalars = split.arrays[2:], split.scalars
    source = template.format(
        slots="".join(f", {s}" for s in slots),
        slots_i="".join(f", {s}[i]" for s in slots),
        scalars="".join(f", {s}" for s in scalars),
    )
    constants = {name: dtype.type(value) for name, value in split.constants.items()}
    globals_ = formula.__globals__ | constants
    globals_["formula"] = _jit(_define(split.source, globals_))
    loop = _jit(_define(source, globals_), f"{source} {split.source} {split.constants} {dtype}")
    loop.once = split.once
    ranks = RANKS.get(template) or [1] * (2 + len(slots)) + [0] * (1 + len(scalars))
    try:
        loop(*(np.zeros((1,) * rank, dtype)[()] for rank in ranks))
    except NumbaError:  # the formula uses what numba does not know
        return None
    return loop


def _define(source, globals_):
    """The function that the source text defines."""
    globals_["__name__"] = __name__  # numba's cache imports the module that a function says it is of
    exec(compile(source, __file__, "exec"), globals_)
    return globals_[ast.parse(source).body[0].name]


def _jit(function, identity=None):
    """The function compiled by numba; kept on disk if its identity is told.

    Numba finds compiled code by the function's name and the date of the file. Here the name holds a digest of all that
    the code is made from, so that a formula that was edited is a new one, whichever file it stands in.
    """
    from numba import njit

    if identity is None:
        return njit(error_model="numpy")(function)
    function.__qualname__ += "_" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    try:
        return njit(error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder to write to
        return njit(error_model="numpy")(function)


class Split(ast.NodeTransformer):
    """A formula, split into what is done once and what is done for each element.

    Each largest expression made of the formula's keyword arguments and numbers alone is replaced by a name.

    ``arrays``     names of the formula's array arguments
    ``source``     text of the function of one element: takes the arrays' elements, then the ``scalars``
    ``scalars``    {name: expression} computed by ``once(**keyword arguments)``, in double precision
    ``constants``  {name: value} of the expressions that hold numbers only
    """

    def __init__(self, formula):
        tree = ast.parse(textwrap.dedent(inspect.getsource(formula))).body[0]
        if not isinstance(tree, ast.FunctionDef):
            raise TypeError("not a function that stands by itself")
        self.arrays = [a.arg for a in tree.args.args]
        keywords = [a.arg for a in tree.args.kwonlyargs]
        self.numbers = {n for n, v in formula.__globals__.items() if isinstance(v, int | float)} | {"np", "math"}
        self.known = {*keywords, *self.numbers} - {*self.arrays}
        self.scalars, constants, lines = {}, {}, []
        self._found, self._lines = {}, lines

        body = [kept for statement in tree.body if (kept := self.visit(statement))]
        for text, name in self._found.items():
            (constants if name.startswith("constant") else self.scalars)[name] = text
        self.source = f"def {tree.name}({', '.join([*self.arrays, *self.scalars])}):\n" + textwrap.indent(
            "\n".join(map(ast.unparse, body)), "    "
        )
        results = "".join(f"{text}, " for text in self.scalars.values())
        head = f"def once({'*, ' if keywords else ''}{', '.join(keywords)}):"
        once = "\n    ".join([head, *lines, f"return ({results})"])
        self.once = _define(once, dict(formula.__globals__))
        self.constants = {name: eval(text, dict(formula.__globals__)) for name, text in constants.items()}

    def visit(self, node):
        if not (isinstance(node, ast.expr) and self._names(node) <= self.known):
            return super().visit(node)
        kind = "constant" if self._names(node) <= self.numbers else "scalar"
        name = self._found.setdefault(ast.unparse(node), f"{kind}_{len(self._found)}")
        return ast.Name(name, ast.Load())

    def visit_Expr(self, node):  # the docstring
        return None

    def visit_Assign(self, node):
        if not self._names(node.value) <= self.known:
            return self.generic_visit(node)
        self._lines.append(ast.unparse(node))  # a scalar with a name of its own: the whole line is done once
        self.known |= {name for target in node.targets for name in self._names(target)}
        return None

    def visit_Call(self, node):
        node.args = [self.visit(argument) for argument in node.args]
        choice = CHOICES.get(ast.unparse(node.func))
        return ast.parse(choice.format(*map(ast.unparse, node.args)), mode="eval").body if choice else node

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
            node.left = self.visit(node.left)  # a**3 keeps its number and becomes a product
            return node
        return self.generic_visit(node)

    @staticmethod
    def _names(node):
        return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


ENGINES = {"numpy": NumpyEngine, "numba": NumbaEngine}
_made = {}


def engine(name="auto"):
    """The engine of that name; "auto" is numba where it is installed, else numpy. One of each is made and shared.

    Raises InputError: an unknown name, or numba asked for and not installed.
    """
    installed = importlib.util.find_spec("numba") is not None
    name = str(name).lower()
    if name == "auto":
        name = "numba" if installed else "numpy"
    if name not in ENGINES:
        raise unknown("engine", name, ["auto", *ENGINES])
    if name == "numba" and not installed:
        raise InputError("The numba engine needs numba: pip install 'muslin[fast]' (or choose the numpy engine).")
    return _made.setdefault(name, ENGINES[name]())
