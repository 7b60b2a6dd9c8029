"""What a step does, written down so that it can be done again without Python: calls on memory that stays where it is.

    Call       one line: a C function of `muslin.engines.calls`, its arguments, and what it reads and writes
    Recorder   writes calls down, while it is asked to do what NumPy or an engine would
    Tape       the finished table of calls; ``print(tape)`` shows it by name

Nothing is computed in another way than NumPy or the engine would. docs/tape.md explains the design.
"""

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from muslin.engines import blas
from muslin.engines.numba_engine import all_columns
from muslin.engines.symbol import CannotRecord, Symbol, numpys_own
from muslin.normalization import NORMALIZATIONS, Normalization

#: numbers in a cache line: two threads that write into one slow each other down
LINE = 16
#: the name of the call at which threads wait for each other
MEETING = "— all meet —"


@dataclass(frozen=True)
class Call:
    """One call: the C function, its arguments (addresses and sizes), and by how much some of them grow from one
    playing to the next, {place: bytes}. ``memory`` keeps all alive that the addresses point to."""

    name: str
    reads: tuple[np.ndarray, ...]
    writes: tuple[np.ndarray, ...]
    function: Any
    arguments: tuple[int, ...]
    moves: dict[int, int]
    memory: tuple


class Tape:
    """Calls in their order, and the tables that are played: a row a call, its address and arguments."""

    def __init__(self, calls: list[Call], names: "Names"):
        self.calls, self.names = tuple(calls), names
        shape = len(calls), 1 + max(len(call.arguments) for call in calls)
        self._first, self.moves = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for i, call in enumerate(calls):
            self._first[i, : 1 + len(call.arguments)] = call.function.address, *call.arguments
            for place, by in call.moves.items():
                self.moves[i, 1 + place] = by
        self.table = self._first.copy()

    def rewind(self, time: int = 0) -> np.ndarray:
        """The table as it is to be before the playing of that number; it is changed while it is played."""
        np.multiply(self.moves, time, out=self.table)
        self.table += self._first
        return self.table

    def __str__(self):
        return "\n".join(map(self._line, self.calls))

    def _line(self, call):
        reads, writes = (" ".join(map(self.names.of, arrays)) for arrays in (call.reads, call.writes))
        return f"{call.name:<16} {reads}{' → ' if writes else ''}{writes}".rstrip()


def joined(tapes: list[Tape]) -> Tape:
    """One tape that does the work of several, with the same numbers to the bit: the part of each up to the first
    meeting, then the part of each up to the second, …"""
    parts: list[list[list[Call]]] = [[[]] for _ in tapes]
    for tape, stages in zip(tapes, parts, strict=True):
        for call in tape.calls:
            if call.name == MEETING:
                stages.append([])
            else:
                stages[-1].append(call)
    return Tape([call for stage in zip(*parts, strict=True) for part in stage for call in part], tapes[0].names)


class Names:
    """What memory is called: W1, A1, …; the names are looked for only when a tape is printed."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, int], tuple[str, np.ndarray]] = {}
        self._temporaries = 0

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        """arrays: {name: array}, of which the first name of the same memory holds."""
        for name, array in arrays.items():
            self._names.setdefault((array.nbytes, array.ctypes.data), (name, array))

    def of(self, array: np.ndarray) -> str:
        """The name of the array or of the smallest one that it is a part of; what has none is a temporary: t1, t2, …"""
        at, size = array.ctypes.data, array.nbytes
        around = [key for key in self._names if key[1] <= at and at + size <= key[1] + key[0]]
        if not around:
            self._temporaries += 1
            self.add({f"t{self._temporaries}": array})
            return f"t{self._temporaries}"
        name, whole = self._names[min(around)]
        first = (at - whole.ctypes.data) // whole.itemsize
        if size == whole.nbytes:
            return name
        if whole.ndim == 1 or whole.shape[1] == 1:
            return f"{name}[{first}:{first + array.size}]"
        if not whole.flags.f_contiguous or not array.flags.forc:
            return f"{name}[…]"
        rows = len(whole)
        return f"{name}[:,{first // rows}:{first // rows + array.size // rows}]"


class Recorder:
    """Writes down what a thread does. It is the network's engine meanwhile, and whom its `Symbol`s ask.

    engine: the numba engine, whose compiled formulas are called. part, parts: which share of the columns the thread
    takes where the work is divided.
    """

    def __init__(self, engine: Any, dtype: np.dtype, part: int = 0, parts: int = 1):
        from muslin.engines import calls, templates

        self.functions, self.templates, self.engine, self.dtype = calls, templates, engine, dtype
        self.part, self.parts = part, parts
        self.calls: list[Call] = []
        self.names = Names()
        product = blas.product(dtype)
        if product is None:
            raise CannotRecord("the BLAS that NumPy uses cannot be called by address")
        self.product, size = product
        self.gemm = calls.gemm(dtype, size)

    def tape(self) -> Tape:
        return Tape(self.calls, self.names)

    def share(self, n: int) -> slice:
        """The slice of n columns that this thread takes. Of many columns it begins where a cache line does."""
        step = LINE if n >= 4 * LINE * self.parts else 1
        start, stop = (n * part // self.parts // step * step for part in (self.part, self.part + 1))
        return slice(start, n if self.part + 1 == self.parts else stop)

    # Calls

    def write(
        self,
        name: str,
        function: Any,
        arguments: Iterable[int],
        reads: Sequence[np.ndarray] = (),
        writes: Sequence[np.ndarray] = (),
        moves: dict[int, int] | None = None,
        memory: Sequence[Any] = (),
    ) -> None:
        """Writes down a call. moves: {place of an argument: by how much it grows from one playing to the next}."""
        if not all(array.flags.writeable for array in writes):
            raise CannotRecord(f"{name} writes into memory that is read-only")
        arguments = tuple(map(int, arguments))
        self.calls.append(Call(name, tuple(reads), tuple(writes), function, arguments, moves or {}, tuple(memory)))

    def loop(
        self,
        name: str,
        *arrays: np.ndarray,
        loop: Any = None,
        writes: Sequence[int] = (-1,),
        moves: dict[int, int] | None = None,
        columns: np.ndarray | None = None,
    ) -> None:
        """A call of one of `muslin.engines.templates`'s loops.  writes: which of the arrays it writes into;
        moves: {which array: by how many bytes it moves on}; columns: [start, stop], for loops that take them last."""
        loop = loop or self.templates.bare(name)
        arguments: list[int] = []
        places: list[int] = []
        told = arrays if columns is None else (*arrays, columns)
        for array in told:
            if not array.flags.c_contiguous:
                raise CannotRecord(f"{name} of rows that do not lie side by side")
            places.append(len(arguments))
            arguments += [array.ctypes.data, *array.shape]
        entry = loop.entry(*((array.dtype, array.ndim) for array in told))
        moves = {places[i]: by for i, by in (moves or {}).items()}
        written = [i % len(arrays) for i in writes]
        reads = [array for i, array in enumerate(arrays) if i not in written]
        self.write(name, entry, arguments, reads, [arrays[i] for i in written], moves, told)

    def multiply(self, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> None:
        """C ← A B, by BLAS. On one thread as NumPy does it, to the bit, also by vectors."""
        if self.parts == 1 and 1 in (*A.shape, B.shape[1]):
            self._multiply_by_vector(A, B, C)
            return
        reads, result = (A, B), C
        if C.strides[0] != C.itemsize:
            A, B, C = B.T, A.T, C.T
        (m, k), n = A.shape, B.shape[1]
        factors = [_transposed(A), _transposed(B)]
        if self.parts > 1 and C is not result and {t for t, _ in factors} == {112}:
            self._multiply_and_turn(*reads, result)
        elif C.size:
            arguments: list[Any] = [self.product, *(t for t, _ in factors), m, n, k]
            for X, leading in (A, factors[0][1]), (B, factors[1][1]), (C, max(m, C.strides[1] // C.itemsize)):
                arguments += [X.ctypes.data, leading]
            self.write("gemm", self.gemm, arguments, reads, [result], memory=(A, B, C))

    def _multiply_by_vector(self, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> None:
        """C ← A B where a size is 1."""
        if A.shape[1] == 1:
            self._outer(A, B, C)
        elif len(A) == B.shape[1] == 1:
            raise CannotRecord("two sizes of 1 side by side: NumPy multiplies vectors by vectors in another order")
        elif len(A) == 1:
            self._row_by_matrix(A, B, C)
        else:
            self._row_by_matrix(B.T, A.T, C.T)

    def _outer(self, a: np.ndarray, b: np.ndarray, C: np.ndarray) -> None:
        """C ← a b, of a column and a row. NumPy adds each product to 0, which makes 0 of −0."""
        nothing = np.zeros(1, self.dtype)
        self.names.add({"0": nothing})
        self.loop("outer", a[:, 0], b[0], nothing, C.T)

    def _row_by_matrix(self, a: np.ndarray, B: np.ndarray, c: np.ndarray) -> None:
        """c ← a B of rows a and c: NumPy has BLAS multiply Bᵀ by a, in whichever order B lies."""
        if (product := blas.product(self.dtype, "gemv")) is None:
            raise CannotRecord("the BLAS that NumPy uses cannot be called by address")
        k, n = B.shape
        order, leading = (102, B.strides[1]) if B.strides[0] == B.itemsize else (101, B.strides[0])
        arguments = [product[0], order, k, n, B.ctypes.data, leading // B.itemsize]
        for x in (a, c):
            arguments += [x.ctypes.data, x.strides[1] // x.itemsize]
        function = self.functions.gemv(self.dtype, product[1])
        self.write("gemv", function, arguments, [a, B], [c], memory=(a, B, c))

    def dot(self, x: np.ndarray, y: np.ndarray, result: np.ndarray) -> None:
        """result ← x·y, by BLAS, of all numbers in their order; in double precision."""
        if (product := blas.product(x.dtype, "dot")) is None:
            raise CannotRecord("the BLAS that NumPy uses cannot be called by address")
        arguments = [product[0], x.size, x.ctypes.data, y.ctypes.data, result.ctypes.data]
        function = self.functions.dot(x.dtype, product[1])
        self.write("dot", function, arguments, [x, y], [result], memory=(x, y, result))

    def _multiply_and_turn(self, A, B, C):
        """C ← A B by way of a matrix in Fortran order: where both factors are transposed, the product of OpenBLAS
        (0.3.31, its SkylakeX kernels) is wrong now and then while another thread multiplies too."""
        columns = np.empty_like(C, order="F")
        self.multiply(A, B, columns)
        self.apply(np.positive, [columns], C)

    def apply(self, function: np.ufunc, inputs: Sequence[Any], result: np.ndarray) -> None:
        """result ← function(*inputs), elementwise on up to two dimensions. Where NumPy would cast, so does the tape."""
        if not numpys_own(function):
            raise CannotRecord(f"{function.__name__} is no function of NumPy's own, or not of elements")
        kinds: list[Any] = [x.dtype if isinstance(x, np.ndarray) else type(x) for x in inputs]
        *kinds, out = function.resolve_dtypes((*kinds, None))
        inputs = [self._as(x, kind) for x, kind in zip(inputs, kinds, strict=True)]
        target = result if result.dtype == out else np.empty_like(result, out)
        views = [np.atleast_2d(np.broadcast_to(x, result.shape)) for x in (*inputs, target)]
        if result.ndim > 2:
            raise CannotRecord(f"{function.__name__} of {result.ndim} dimensions")
        if len({view.strides for view in views}) == 1 and (target.flags.c_contiguous or target.flags.f_contiguous):
            views = [view.reshape(1, -1, order="A") for view in views]
        inner = int(np.argmin(views[-1].strides)) if len(views[-1]) > 1 else 1
        self._inner(function, views, inner, (*inputs, target))
        if target is not result:
            self._cast(target, result)

    def _as(self, x, kind):
        """The operand in the type that NumPy casts it to: a number now, an array anew each time."""
        if not isinstance(x, np.ndarray):
            number = np.asarray(x, kind)
            self.names.add({f"{x}": number})
            return number
        if x.dtype == kind:
            return x
        result = np.empty_like(x, kind)
        self._cast(x, result)
        return result

    def _cast(self, x, result):
        if not np.can_cast(x.dtype, result.dtype, "same_kind"):
            raise CannotRecord(f"a cast of {x.dtype} to {result.dtype}")
        if x.strides and [s // x.itemsize for s in x.strides] != [s // result.itemsize for s in result.strides]:
            raise CannotRecord("a cast into another layout")
        self.loop("cast", *(array.reshape(-1, order="F" if x.flags.f_contiguous else "C") for array in (x, result)))

    def reduce(
        self, function: np.ufunc, X: np.ndarray, result: np.ndarray, axis: int = 0, keepdims: bool = False
    ) -> None:
        """result ← the function between the slices of X along an axis, in NumPy's order."""
        if X.ndim != 2 or axis not in (0, 1) or not numpys_own(function) or function.nin != 2:
            raise CannotRecord(f"{function.__name__}.reduce of {X.ndim} dimensions over the axis {axis}")
        if not X.size:
            return
        if not result.dtype == X.dtype == function.resolve_dtypes((X.dtype, X.dtype, None))[2]:
            raise CannotRecord(f"{function.__name__}.reduce of {X.dtype} to {result.dtype}")
        out = result if keepdims else np.expand_dims(result, axis)
        if axis == 1 and len(X) == 1 and X.strides[1] == X.itemsize:
            self._reduce_row(function, X, out)
            return
        first, rest = (X[:1], X[1:]) if axis == 0 else (X[:, :1], X[:, 1:])
        self.apply(np.positive, [first], out)
        if rest.size:
            out = np.broadcast_to(out, rest.shape)
            self._inner(function, [out, rest, out], int(np.argmin(X.strides)), (X, result))

    def _reduce_row(self, function, X, out):
        """out ← the sum of one row, whose numbers lie side by side: NumPy adds them up in pairs, to 0."""
        if function is not np.add:
            raise CannotRecord(f"{function.__name__}.reduce of a row")
        nothing = np.zeros((1, 1), X.dtype)
        self.names.add({"0": nothing})
        self.apply(np.positive, [nothing], out)
        total = np.broadcast_to(out, X.shape)
        self._inner(function, [total, X, total], 1, (X, out))

    def _inner(self, function, views, inner, memory):
        """NumPy's loop along the axis ``inner`` of two, for each row or column of the other."""
        address, data = _inner_loop(function, [view.dtype for view in views])
        shape, outer = views[-1].shape, 1 - inner
        arguments = [address, data, len(views), shape[outer], shape[inner]]
        arguments += [view.ctypes.data for view in views]
        arguments += [view.strides[outer] for view in views]
        arguments += [view.strides[inner] for view in views]
        *reads, result = memory
        self.write(function.__name__, self.functions.ufunc(), arguments, reads, [result], memory=[*views, *memory])

    def barrier(self, meeting: np.ndarray) -> None:
        """All threads wait here for the last one.  meeting: see `muslin.engines.calls.barrier`."""
        if self.parts > 1:
            system = self.functions.c_library()
            wait = ctypes.cast(system.syscall if self.functions.FUTEX else system.sched_yield, ctypes.c_void_p).value
            arguments = [meeting.ctypes.data, self.parts, wait or 0]
            self.write(MEETING, self.functions.barrier(), arguments, memory=[meeting])

    def c_function(self, name: str, address: int, argument: Any) -> None:
        """A call of a function of C's library, which takes an address: of the argument, which is a ctypes buffer."""
        self.write(name, self.functions.c_function(), [address, ctypes.addressof(argument)], memory=[argument])

    def python(self, name: str, function: Callable[[int], None], failed: Callable[[BaseException], None]) -> None:
        """A call of a Python function, of the number of the playing; failed: see `muslin.engines.calls.Python`."""
        self.write(name, self.functions.Python(function, failed), [0], moves={0: 1})

    def finite(self, summands: np.ndarray, by: int) -> None:
        """The tape stops where the sum is not finite."""
        arguments = [summands.ctypes.data, summands.size]
        self.write("finite", self.functions.finite(), arguments, [summands], moves={0: by}, memory=[summands])

    # What the network asks of its engine

    def activate(self, function: Callable, A: Any, b: Any, H: Any) -> None:
        passes = self.engine.compiled("activate", function, self.dtype)
        self._passes(function, passes, {"A": A, "b": b, "H": H}, _columns_of(A))

    def slope(self, slope: Callable, dH: Any, A: Any, H: Any, dA: Any) -> None:
        passes = self.engine.compiled("slope", slope, self.dtype)
        self._passes(slope, passes, {"dH": dH, "A": A, "H": H, "dA": dA}, _columns_of(A))

    def _passes(self, formula, passes, arrays, columns):
        for function, names in passes:
            operands = [arrays[name] for name in names]
            if isinstance(function, np.ufunc):
                *inputs, result = (_array(x).T for x in operands)
                self.apply(function, inputs, result)
            else:
                writes = (0, -1) if names[:2] == ("A", "b") else (-1,)
                self.loop(formula.__name__, *map(_rows, operands), loop=function, writes=writes, columns=columns)

    def normalize(self, how: Normalization, A: Any, gamma: Any, N: Any, mean: Any, variance: Any) -> None:
        self._normalization("normalize", how, A, gamma, N, mean, variance, writes=(0, 2, 3, 4))

    def normalized_deltas(
        self, how: Normalization, dA: Any, gamma: Any, N: Any, variance: Any, dgamma: Any, db: Any
    ) -> None:
        self._normalization("normalized_deltas", how, dA, gamma, N, variance, dgamma, db, writes=(0, 4, 5))

    def normalize_as_trained(self, how: Normalization, A: Any, gamma: Any, mean: Any, variance: Any) -> None:
        self._normalization("normalize_as_trained", how, A, gamma, mean, variance, writes=(0,), whole=True)

    def _normalization(self, name, how, A, *arrays, writes, whole=False):
        if how is not NORMALIZATIONS["batch"]:
            raise CannotRecord("a normalization that is none of muslin's")
        columns = None if whole else _columns_of(A)
        loop = self.templates.normalization(name, self.dtype)
        self.loop(name, *map(_rows, (A, *arrays)), loop=loop, writes=writes, columns=columns)

    # What the symbols are asked for

    def symbol(self, array: np.ndarray, whole: np.ndarray | None = None) -> Symbol:
        return Symbol(self, array, whole)

    def call(self, function: np.ufunc, method: str, inputs: Sequence[Any], out: Any, options: dict[str, Any]) -> Any:
        """What NumPy asks a `Symbol` in place of computing."""
        if method == "reduce" and not options.keys() - {"axis", "keepdims"}:
            return self._reduced(function, inputs[0], out, **options)
        if method != "__call__" or options:
            raise CannotRecord(f"{function.__name__}.{method} with {', '.join(options) or 'these arguments'}")
        if function is np.matmul:
            A, B = inputs
            return self.product_of(A, B, out)
        if function.nout != 1 or not numpys_own(function):
            raise CannotRecord(f"{function.__name__} is no function of NumPy's own, or not of elements")
        arrays = [_array(x) for x in inputs]
        arrays = [np.asarray(x) if isinstance(x, np.generic | bool) else x for x in arrays]
        result = np.asarray(function(*arrays)) if out is None else _array(out)
        self.apply(function, arrays, result)
        return self.symbol(result) if out is None else out

    def _reduced(self, function, X, out, axis=0, keepdims=False):
        X = _array(X)
        if axis != 0:
            raise CannotRecord(f"{function.__name__}.reduce over the samples, which rounds in its own way")
        result = np.asarray(function.reduce(X, axis=axis, keepdims=keepdims)) if out is None else _array(out)
        self.reduce(function, X, result, axis, keepdims)
        return self.symbol(result) if out is None else out

    def product_of(self, A: Any, B: Any, out: Any) -> Any:
        if out is None:
            raise CannotRecord("a matrix product without a place for it")
        self.multiply(_array(A), _array(B), _array(out))
        return out

    def other(self, function: Callable, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """What NumPy asks a `Symbol` where it has functions that are no ufuncs."""
        name = {np.vdot: "vdot", np.sum: "sum"}.get(function)
        arrays = [_array(x) for x in arguments]
        if name == "sum" and not options and len(arrays) == 1 and arrays[0].ndim == 0:
            return arguments[0]  # of a loss that is a sum already
        if name is None or options or not all(isinstance(x, np.ndarray) and x.ndim == 2 for x in arrays):
            raise CannotRecord(f"a tape has nothing for {function.__name__} of these arguments")
        if len({x.shape for x in arrays}) > 1 or len(arrays) != (2 if name == "vdot" else 1):
            raise CannotRecord(f"{name} of arrays of different shapes")
        return self.symbol(self._sum(arrays[0]) if name == "sum" else self._vdot(*arrays))

    def _sum(self, X):
        """The sum of a matrix, as NumPy adds it up: one row, in the order of the memory."""
        if not X.flags.forc or X.dtype.kind != "f":
            raise CannotRecord(f"a sum of {X.dtype}, or of a matrix with gaps")
        result = np.zeros((1, 1), X.dtype)
        self._reduce_row(np.add, X.reshape(1, -1, order="A"), result)
        return result.reshape(())

    def _vdot(self, A, B):
        """The dot product of two matrices, row by row, as NumPy has BLAS compute it."""
        if (kind := np.result_type(A, B)).char not in "fd":
            raise CannotRecord(f"a dot product of {A.dtype} and {B.dtype}")
        total, result = np.zeros(1), np.zeros(1, kind)
        self.dot(*(self._in_rows(self._as(X, kind)) for X in (A, B)), total)
        self._cast(total, result)
        return result.reshape(())

    def _in_rows(self, X):
        if X.flags.c_contiguous:
            return X
        rows = np.zeros_like(X, order="C")
        self.apply(np.positive, [X], rows)
        return rows


def _array(x):
    return x.array if isinstance(x, Symbol) else x


def _rows(x):
    """As a loop takes it: of a matrix the samples as rows, all units of them, and of a column the vector."""
    if isinstance(x, Symbol):
        return (x.array if x.units is None else x.whole).T
    return x[:, 0]


def _columns_of(x):
    """The units that a loop works on, [start, stop]: those of the thread where it has some only, else all."""
    return np.array([x.units.start, x.units.stop]) if x.units else all_columns(len(x.array))


class _Ufunc(ctypes.Structure):
    """The beginning of NumPy's PyUFuncObject (numpy/ufuncobject.h): where its loops are."""

    _fields_ = (
        ("head", ctypes.c_char * object.__basicsize__),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    )


#: NumPy's version of its binary interface (NPY_ABI_VERSION) in which a ufunc lies in memory like `_Ufunc`
ABI = 0x2000000


def _inner_loop(function, dtypes):
    """(address, data) of a ufunc's loop for these types. Raises CannotRecord where NumPy is not as it is known here."""
    kinds = "".join(dtype.char for dtype in dtypes[:-1]) + "->" + dtypes[-1].char
    if kinds not in function.types or not set(kinds) <= set("?fd->"):
        raise CannotRecord(f"{function.__name__} of {kinds}")
    loops, i = _Ufunc.from_address(id(function)), function.types.index(kinds)
    ours = loops.nin, loops.nout, loops.nargs, loops.ntypes
    if _abi() != ABI or ours != (function.nin, function.nout, function.nargs, function.ntypes):
        raise CannotRecord(f"a ufunc of NumPy {np.__version__} is not laid out as known")
    if not loops.functions[i]:
        raise CannotRecord(f"{function.__name__} of {kinds} has no loop of its own")
    return loops.functions[i], (loops.data[i] or 0) if loops.data else 0


def _abi():
    try:
        return np._core._multiarray_umath._get_ndarray_c_version()
    except AttributeError:
        return None


def _transposed(X):
    """(111 or 112 as CBLAS has it, leading dimension) of a matrix of which one of the strides is an element."""
    n, m = X.shape
    rows, columns = X.strides[0] // X.itemsize, X.strides[1] // X.itemsize
    if rows == 1 or n == 1:
        return 111, max(n, columns)
    if columns == 1 or m == 1:
        return 112, max(m, rows)
    raise CannotRecord("a matrix with gaps")
