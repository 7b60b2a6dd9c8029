"""What a step does, written down so that it can be done again without Python: calls on memory that stays where it is.

A `Tape` stands in for the engine while the network goes through one step, and the arrays that it hands out tell it
what NumPy does with them: matrix products, loops of the engine's formulas, functions of NumPy. Nothing is computed in
another way than NumPy or the engine would; the formulas stay where they are.
"""

import ctypes

import numpy as np

from muslin.engines import blas

#: numbers in a cache line: two threads that write into one slow each other down
LINE = 16


class CannotRecord(Exception):
    """The step does something that a tape has no call for."""


class Traced(np.ndarray):
    """An array that has written down what NumPy does with it."""

    def __array_finalize__(self, source):
        self.tape = getattr(source, "tape", None)

    def __array_ufunc__(self, function, method, *inputs, out=(None,), **options):
        inputs, out = [plain(x) for x in inputs], [plain(x) for x in out]
        if function is np.matmul and method == "__call__" and out[0] is not None:
            self.tape.matmul(*inputs, *out)
            return self.tape.traced(out[0])
        if method == "__call__" and function.nout == 1 and not options:
            result = function(*inputs, out=out[0])
            self.tape.ufunc(function, [*inputs, result])
        elif method == "reduce" and function.nin == 2 and not options.keys() - {"axis", "keepdims"}:
            result = function.reduce(*inputs, out=out[0], **options)
            self.tape.reduce(function, inputs[0], result, **options)
        else:
            raise CannotRecord(f"{function.__name__}.{method}")
        return self.tape.traced(result)

    def __array_function__(self, function, types, arguments, options):
        if function is not np.vdot:
            raise CannotRecord(function.__name__)
        result = np.zeros(1)
        self.tape.loop("vdot", *map(plain, arguments), result)
        return self.tape.traced(result)


def plain(x):
    return x.view(np.ndarray) if isinstance(x, Traced) else x


class Tape:
    """The calls of one thread. It stands in for the network's engine while it writes.

    part, parts: which share of the columns it takes where the work is divided.
    """

    def __init__(self, engine, dtype, part=0, parts=1):
        from muslin.engines import calls, templates

        self.functions, self.templates, self.engine, self.dtype = calls, templates, engine, dtype
        self.part, self.parts, self.sharing = part, parts, False
        self.calls, self.moves, self.kept = [], [], []
        product = blas.product(dtype)
        if product is None:
            raise CannotRecord("NumPy's BLAS cannot be called")
        self.product, size = product
        self.gemm = calls.gemm(dtype, size)

    def traced(self, array):
        view = np.asarray(array).view(Traced)
        view.tape = self
        return view

    def share(self, n):
        """The slice of n columns that this thread takes. Of many columns it begins where a cache line does."""
        step = LINE if n >= 4 * LINE * self.parts else 1
        start, stop = (n * part // self.parts // step * step for part in (self.part, self.part + 1))
        return slice(start, n if self.part + 1 == self.parts else stop)

    def write(self, function, arguments, moves=None, keep=()):
        """Writes down a call. moves: {place of an argument: by how much it grows from one playing to the next}."""
        self.kept += [function, *keep]
        self.calls.append([function.address, *map(int, arguments)])
        self.moves.append(moves or {})

    def loop(self, name, *arrays, moves=None):
        """A call of one of `muslin.engines.templates`'s loops. moves: {which array: by how many bytes it moves on}."""
        loop = self.templates.plain(name) if isinstance(name, str) else name
        arguments, places = [], []
        for array in arrays:
            if not array.flags.c_contiguous:
                raise CannotRecord("a loop over rows that do not lie side by side")
            places.append(len(arguments))
            arguments += [array.ctypes.data, *array.shape]
        entry = self.functions.entry(loop, *((array.dtype, array.ndim) for array in arrays))
        moves = {places[i]: by for i, by in (moves or {}).items()}
        self.write(entry, arguments, moves, keep=arrays)

    def matmul(self, A, B, C):
        if self.sharing:
            columns = self.share(C.shape[1])
            B, C = B[:, columns], C[:, columns]
        if C.strides[0] != C.itemsize:
            A, B, C = B.T, A.T, C.T
        if not C.size:
            return
        (m, k), n = A.shape, B.shape[1]
        factors = [_transposed(A), _transposed(B)]
        arguments = [self.product, *(t for t, _ in factors), m, n, k]
        for X, leading in (A, factors[0][1]), (B, factors[1][1]), (C, max(m, C.strides[1] // C.itemsize)):
            arguments += [X.ctypes.data, leading]
        self.write(self.gemm, arguments, keep=(A, B, C))

    def ufunc(self, function, operands):
        """A function of NumPy on up to two dimensions; the last operand is the result."""
        shape, result = operands[-1].shape, operands[-1]
        kinds = [np.asarray(x).dtype if isinstance(x, np.ndarray) else type(x) for x in operands[:-1]]
        kinds = function.resolve_dtypes((*kinds, result.dtype))
        operands = [np.asarray(x, kind) for x, kind in zip(operands, kinds, strict=True)]
        views = [np.atleast_2d(np.broadcast_to(x, shape)) for x in operands]
        if operands[-1].dtype != result.dtype or len(shape) > 2:
            raise CannotRecord(f"{function.__name__} of {len(shape)} dimensions")
        if len({view.strides for view in views}) == 1 and (result.flags.c_contiguous or result.flags.f_contiguous):
            views = [view.reshape(1, -1, order="A") for view in views]
        inner = int(np.argmin(views[-1].strides)) if len(views[-1]) > 1 else 1
        self.inner(function, views, inner, keep=operands)

    def reduce(self, function, X, result, axis=0, keepdims=False):
        """The function between the slices of X along an axis, in NumPy's order."""
        if X.ndim != 2 or axis not in (0, 1):
            raise CannotRecord(f"a sum over the axis {axis}")
        if self.sharing and axis == 1:
            X, result = X[self.share(len(X))], result[self.share(len(X))]
        if not X.size:
            return
        out = result if keepdims else np.expand_dims(result, axis)
        first, rest = (X[:1], X[1:]) if axis == 0 else (X[:, :1], X[:, 1:])
        self.ufunc(np.positive, [first, out])
        if rest.size:
            out = np.broadcast_to(out, rest.shape)
            self.inner(function, [out, rest, out], int(np.argmin(X.strides)), keep=(X, result))

    def inner(self, function, views, inner, keep):
        """NumPy's loop along the axis ``inner`` of two, for each row or column of the other."""
        kinds = "".join(view.dtype.char for view in views[:-1]) + "->" + views[-1].dtype.char
        if kinds not in function.types:
            raise CannotRecord(f"{function.__name__} of {kinds}")
        loops, i = _Ufunc.from_address(id(function)), function.types.index(kinds)
        shape, outer = views[-1].shape, 1 - inner
        arguments = [loops.functions[i], loops.data[i] if loops.data else 0, len(views), shape[outer], shape[inner]]
        arguments += [view.ctypes.data for view in views]
        arguments += [view.strides[outer] for view in views]
        arguments += [view.strides[inner] for view in views]
        self.write(self.functions.ufunc(), [x or 0 for x in arguments], keep=[*views, *keep])

    def barrier(self, meeting):
        """All threads wait here for the last one.  meeting: see `muslin.engines.calls.barrier`."""
        if self.parts > 1:
            yield_ = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value
            self.write(self.functions.barrier(), [meeting.ctypes.data, self.parts, yield_], keep=[meeting])

    def finite(self, summands, by):
        """The tape stops where the sum is not finite."""
        self.write(self.functions.finite(), [summands.ctypes.data, summands.size], {0: by}, [summands])

    def finish(self):
        """Makes tables of what was written: calls, and by how much their arguments move on."""
        width = 1 + max(map(len, self.calls))
        calls, moves = np.zeros((2, len(self.calls), width), np.int64)
        for i, (call, by) in enumerate(zip(self.calls, self.moves, strict=True)):
            calls[i, : len(call)] = call
            for place, amount in by.items():
                moves[i, 1 + place] = amount
        self.calls, self.moves = calls, moves
        return self

    # What the network asks of its engine

    def activate(self, function, A, b, H):
        self._formula("activate", function, {"A": A.T, "b": b[:, 0], "H": H.T})

    def slope(self, slope, dH, A, H, dA):
        self._formula("slope", slope, {"dH": dH.T, "A": A.T, "H": H.T, "dA": dA.T})

    def _formula(self, kind, formula, arrays):
        steps = self.made(kind, formula)
        for function, names in steps:
            given = [plain(arrays[name]) for name in names.split()]
            if isinstance(function, np.ufunc):
                self.ufunc(function, given)
            else:
                self.loop(function, *given)

    def made(self, kind, formula):
        made = self.engine.made(kind, self.dtype, formula)
        if made is None:
            raise CannotRecord(f"{formula.__name__} is not compiled")
        return made


class _Ufunc(ctypes.Structure):
    """The beginning of NumPy's PyUFuncObject (numpy/ufuncobject.h): where its loops are."""

    _fields_ = (
        ("head", ctypes.c_char * object.__basicsize__),
        ("counts", ctypes.c_int * 4),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
    )


def _transposed(X):
    """(111 or 112 as CBLAS has it, leading dimension) of a matrix of which one of the strides is an element."""
    n, m = X.shape
    rows, columns = X.strides[0] // X.itemsize, X.strides[1] // X.itemsize
    if rows == 1 or n == 1:
        return 111, max(n, columns)
    if columns == 1 or m == 1:
        return 112, max(m, rows)
    raise CannotRecord("a matrix with gaps")
