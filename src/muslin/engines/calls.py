"""The C functions that a tape consists of calls of: loops, matrix products, functions of NumPy, meetings of threads."""

import ctypes
import gc
import hashlib
import inspect
import math
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from muslin.engines.formula import define

SOURCE = Path(__file__).read_text(encoding="utf-8")  # what the C functions below are made from

# A tape is a table of calls: the address of a C function, and its arguments, whole numbers all: addresses, sizes. Each
# function returns 0, or another number where the tape is to stop.

ARGUMENTS = nb.types.CPointer(nb.int64)
SIGNATURE = nb.int64(ARGUMENTS)
I32, I64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def _array(context, address, shape, number):
    """The array in C order at an address."""
    kind = nb.types.Array(number.instance_type, len(shape), "C")

    def code(context, builder, signature, arguments):
        array, item = (
            context.make_array(kind)(context, builder),
            context.get_abi_sizeof(context.get_data_type(kind.dtype)),
        )
        sizes, strides = cgutils.unpack_tuple(builder, arguments[1]), [ir.Constant(I64, item)]
        for size in sizes[:0:-1]:
            strides.insert(0, builder.mul(strides[0], size))
        data = builder.inttoptr(arguments[0], array.data.type)
        populate_array(array, data=data, shape=sizes, strides=strides, itemsize=ir.Constant(I64, item), meminfo=None)
        return array._getvalue()

    return kind(nb.int64, shape, number), code


@intrinsic
def _row(context, array, j, start, stop):
    """``array[j, start:stop]`` of a matrix in C order, for which numba would make much more code."""
    kind = nb.types.Array(array.dtype, 1, "C")

    def code(context, builder, signature, arguments):
        given, j, start, stop = arguments
        matrix = context.make_array(array)(context, builder, given)
        columns, item = cgutils.unpack_tuple(builder, matrix.shape)[1], context.get_abi_sizeof(matrix.data.type.pointee)
        first, sizes = builder.add(builder.mul(j, columns), start), [builder.sub(stop, start)]
        data, size = builder.gep(matrix.data, [first], inbounds=True), ir.Constant(I64, item)
        row = context.make_array(kind)(context, builder)
        populate_array(row, data=data, shape=sizes, strides=[size], itemsize=size, meminfo=None)
        return row._getvalue()

    return kind(array, nb.int64, nb.int64, nb.int64), code


@intrinsic
def _address(context, pointer):
    def code(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], I64)

    return nb.int64(ARGUMENTS), code


@intrinsic
def _call(context, function, arguments):
    """function(arguments), of the one signature that a tape knows."""

    def code(context, builder, signature, values):
        return builder.call(builder.inttoptr(values[0], ir.FunctionType(I64, [I64]).as_pointer()), values[1:])

    return nb.int64(nb.int64, nb.int64), code


@intrinsic
def _call_yield(context, function):
    def code(context, builder, signature, values):
        return builder.call(builder.inttoptr(values[0], ir.FunctionType(I32, []).as_pointer()), [])

    return nb.int32(nb.int64), code


@intrinsic
def _call_system(context, function, number, address, operation, value, timeout):
    """syscall(number, address, operation, value, timeout)."""

    def code(context, builder, signature, values):
        kind = ir.FunctionType(I64, [I64], var_arg=True)
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])

    return nb.int64(*[nb.int64] * 6), code


@intrinsic
def _call_ufunc(context, function, at, size, steps, data):
    """NumPy's inner loop: void (char **args, intp const *dimensions, intp const *steps, void *data)."""

    def code(context, builder, signature, values):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 4)
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])
        return context.get_dummy_value()

    return nb.void(*[nb.int64] * 5), code


def _gemm_intrinsic(real, size):
    """cblas_?gemm, column-major, α = 1, β = 0, of a BLAS whose integers have that size."""
    number = {nb.float32: ir.FloatType(), nb.float64: ir.DoubleType()}[real]

    @intrinsic
    def call(context, function, ta, tb, m, n, k, A, lda, B, ldb, C, ldc):
        def code(context, builder, signature, values):
            whole = ir.IntType(size)
            kinds = [I32] * 3 + [whole] * 3 + [number, I64, whole, I64, whole, number, I64, whole]
            kind = ir.FunctionType(ir.VoidType(), kinds)
            function, ta, tb, m, n, k, A, lda, B, ldb, C, ldc = values
            one, zero, order = ir.Constant(number, 1.0), ir.Constant(number, 0.0), ir.Constant(I32, 102)
            given = [order, ta, tb, m, n, k, one, A, lda, B, ldb, zero, C, ldc]
            fitting = [v if v.type == kind_ else builder.trunc(v, kind_) for v, kind_ in zip(given, kinds, strict=True)]
            builder.call(builder.inttoptr(function, kind.as_pointer()), fitting)
            return context.get_dummy_value()

        return nb.void(*[nb.int64] * 12), code

    return call


def _gemv_intrinsic(real, size):
    """cblas_?gemv, transposed, α = 1, β = 0, as NumPy calls it."""
    number = {nb.float32: ir.FloatType(), nb.float64: ir.DoubleType()}[real]

    @intrinsic
    def call(context, function, order, m, n, A, lda, x, incx, y, incy):
        def code(context, builder, signature, values):
            whole = ir.IntType(size)
            kinds = [I32, I32, whole, whole, number, I64, whole, I64, whole, number, I64, whole]
            kind = ir.FunctionType(ir.VoidType(), kinds)
            function, order, m, n, A, lda, x, incx, y, incy = values
            one, zero, transposed = ir.Constant(number, 1.0), ir.Constant(number, 0.0), ir.Constant(I32, 112)
            given = [order, transposed, m, n, one, A, lda, x, incx, zero, y, incy]
            fitting = [v if v.type == kind_ else builder.trunc(v, kind_) for v, kind_ in zip(given, kinds, strict=True)]
            builder.call(builder.inttoptr(function, kind.as_pointer()), fitting)
            return context.get_dummy_value()

        return nb.void(*[nb.int64] * 10), code

    return call


def _dot_intrinsic(real, size):
    """cblas_?dot of two vectors, into a number in double precision."""
    number = {nb.float32: ir.FloatType(), nb.float64: ir.DoubleType()}[real]

    @intrinsic
    def call(context, function, n, x, y, result):
        def code(context, builder, signature, values):
            whole, double = ir.IntType(size), ir.DoubleType()
            kind = ir.FunctionType(number, [whole, I64, whole, I64, whole])
            function, n, x, y, result = values
            n, one = n if size == 64 else builder.trunc(n, whole), ir.Constant(whole, 1)
            product = builder.call(builder.inttoptr(function, kind.as_pointer()), [n, x, one, y, one])
            product = product if number == double else builder.fpext(product, double)
            builder.store(product, builder.inttoptr(result, double.as_pointer()))
            return context.get_dummy_value()

        return nb.void(*[nb.int64] * 5), code

    return call


@intrinsic
def _add(context, address, number):
    """Adds to the whole number at the address, in one piece; returns what it was."""

    def code(context, builder, signature, values):
        return builder.atomic_rmw("add", builder.inttoptr(values[0], I64.as_pointer()), values[1], "seq_cst")

    return nb.int64(nb.int64, nb.int64), code


@intrinsic
def _pause(context):
    """Tells the processor that this loop only waits: another thread of its core, or another guest, may work."""

    def code(context, builder, signature, values):
        if platform.machine() in ("x86_64", "AMD64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return nb.void(), code


@intrinsic
def _load(context, address):
    def code(context, builder, signature, values):
        return builder.load_atomic(builder.inttoptr(values[0], I64.as_pointer()), "acquire", 8)

    return nb.int64(nb.int64), code


#: of its options numba's own types know some
NJIT: Any = nb.njit


def jit(function: Any) -> Any:
    """The function, compiled to be called by other compiled ones only."""
    return NJIT(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def _entry(function, identity):
    """The C function of a tape that the Python function describes, from numba's cache on disk if it is there; keep it
    as long as its address is used.

    Numba finds compiled code by the function's name and the date of the file. Here the name holds a digest of all that
    the code is made from, so that a formula that was edited is a new one, whichever file it stands in.
    """
    function.__qualname__ += "_" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    with _kept_all():
        try:
            return nb.cfunc(SIGNATURE, cache=True, error_model="numpy")(function)
        except RuntimeError:  # no folder to write to
            return nb.cfunc(SIGNATURE, error_model="numpy")(function)


@contextmanager
def _kept_all() -> Iterator[None]:
    """Python looks for no garbage in here: it would go through all of numba's objects again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Loop:
    """A loop over arrays in C order, from its text: a C function for each combination of their types and dimensions,
    compiled when it is first asked for. Called with arrays, it runs.

    source: of a function of the arrays, without a result; names: what it takes from its module; identity: all that
    these are made from.
    """

    def __init__(self, source: str, names: dict[str, Any] | None = None, identity: str = ""):
        self.source, self.names, self.identity = source, names or {}, identity
        described = define(source, {}, __file__)
        self.name, self.arrays = described.__name__, list(inspect.signature(described).parameters)
        self._entries: dict[tuple, Any] = {}

    def entry(self, *kinds: tuple[np.dtype, int]) -> Any:
        """The C function. kinds: (dtype, dimensions) of each array. Its arguments: address and shape of each."""
        if kinds not in self._entries:
            self._entries[kinds] = self._compiled(kinds)
        return self._entries[kinds]

    def _compiled(self, kinds):
        lines, at = [f"def {self.name}(args):"], 0
        for name, (_, rank) in zip(self.arrays, kinds, strict=True):
            shape = "".join(f"args[{at + 1 + n}], " for n in range(rank))
            lines.append(f"    {name} = array(args[{at}], ({shape}), type_of_{name})")
            at += 1 + rank
        source = "\n".join([*lines, *self.source.strip().splitlines()[1:], "    return 0"])
        types = {f"type_of_{name}": nb.from_dtype(kind[0]) for name, kind in zip(self.arrays, kinds, strict=True)}
        space = (
            self.names | types | {"array": _array, "row": _row, "__name__": __name__}
        )  # numba's cache imports that module
        return _entry(define(source, space, __file__), f"{source}{types}{self.identity}")

    def __call__(self, *arrays: np.ndarray) -> None:
        if not all(array.flags.c_contiguous for array in arrays):
            raise ValueError(f"the arrays of {self.name} do not all lie in C order")
        entry = self.entry(*((array.dtype, array.ndim) for array in arrays))
        told = [number for array in arrays for number in (array.ctypes.data, *array.shape)]
        entry.ctypes((ctypes.c_int64 * len(told))(*told))


def _handed_on(name, n, intrinsic_of, dtype, size):
    """The C function that hands its n arguments on to one of BLAS."""
    call = intrinsic_of(nb.from_dtype(np.dtype(dtype)), size)  # a name of its module: numba's cache knows no closures
    source = f"def {name}(args):\n    call({', '.join(f'args[{i}]' for i in range(n))})\n    return 0"
    return _entry(define(source, {"call": call, "__name__": __name__}, __file__), f"{SOURCE}{dtype}{size}")


@cache
def gemm(dtype: np.dtype, size: int) -> Any:
    """C = A B by BLAS. Arguments: address of cblas_?gemm; 111 or 112 (transposed) for A, B; m, n, k; A, its leading
    dimension, B, its, C, its."""
    return _handed_on("gemm", 12, _gemm_intrinsic, dtype, size)


@cache
def gemv(dtype: np.dtype, size: int) -> Any:
    """y = Aᵀx by BLAS. Arguments: address of cblas_?gemv; 101 or 102 (by rows or by columns); rows and columns of A; A,
    its leading dimension; x, its step; y, its step."""
    return _handed_on("gemv", 10, _gemv_intrinsic, dtype, size)


@cache
def dot(dtype: np.dtype, size: int) -> Any:
    """x·y by BLAS. Arguments: address of cblas_?dot; length of x and y, x, y; where the result goes (float64)."""
    return _handed_on("dot", 5, _dot_intrinsic, dtype, size)


@cache
def ufunc() -> Any:
    """A loop of NumPy's, again and again: for rows that do not lie side by side, and for sums over them.

    Arguments: address of the loop, its data, number of operands, times, size; then for each operand its address, for
    each how far it moves from time to time, for each the step of the loop.
    """

    def ufunc(args):
        operands, at = args[2], _address(args)
        for _ in range(args[3]):
            _call_ufunc(args[0], at + 40, at + 32, at + 40 + 16 * operands, args[1])
            for i in range(5, 5 + operands):
                args[i] += args[i + operands]
        for i in range(5, 5 + operands):
            args[i] -= args[3] * args[i + operands]
        return 0

    return _entry(ufunc, SOURCE)


#: what a call tells the player, if not 0
OTHERS_LEFT, NOT_FINITE = 1, 2
#: places of the whole numbers by which threads meet, in bytes: a cache line for each
ARRIVED, ROUND, LEFT, BELL, ASLEEP, PATIENCE = range(0, 6 * 64, 64)
#: how often a thread looks whether the others have come before it sleeps: some ten µs, as long as a core is there for
#: each; where others want the core too, they get it
LOOKS = 1000
#: nanoseconds after which a sleeping thread looks whether another one has left
NAP = 10_000_000
#: <linux/futex.h>: FUTEX_WAIT and FUTEX_WAKE, of this process only
WAIT, WAKE = 128, 129
#: the number of Linux's system call futex
FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine()) if platform.system() == "Linux" else None


@cache
def c_library() -> Any:
    """C's library, which has syscall and sched_yield."""
    return ctypes.CDLL(None)


def meeting() -> np.ndarray:
    """The whole numbers by which threads meet: how many have arrived, how often all have, whether one has left,
    whether they are asked to, how many sleep, and how long they do (a timespec)."""
    numbers = np.zeros((6, 8), np.int64)
    numbers[5, 1] = NAP
    return numbers


@cache
def barrier() -> Any:
    """All threads wait for the last; or the tape stops, where one of them has left and will not come. They look for
    the others for a short while, then sleep.

    Arguments: address of the `meeting`; number of threads; address of the C function by which a thread sleeps, syscall,
    or sched_yield where there is no futex.
    """
    futex = FUTEX or 0

    def barrier(args):
        meeting, looks = args[0], 0
        now = _load(meeting + ROUND)
        if _add(meeting + ARRIVED, 1) == args[1] - 1:
            _add(meeting + ARRIVED, -args[1])
            _add(meeting + ROUND, 1)
            if futex and _add(meeting + ASLEEP, 0):
                _call_system(args[2], futex, meeting + ROUND, WAKE, args[1], 0)
            return 0
        while _load(meeting + ROUND) == now:
            looks += 1
            _pause()
            if looks > LOOKS:
                if _load(meeting + LEFT):
                    return OTHERS_LEFT
                if futex:
                    _add(meeting + ASLEEP, 1)
                    _call_system(args[2], futex, meeting + ROUND, WAIT, now & 0xFFFFFFFF, meeting + PATIENCE)
                    _add(meeting + ASLEEP, -1)
                else:
                    _call_yield(args[2])
        return 0

    return _entry(barrier, SOURCE)


@cache
def c_function() -> Any:
    """A C function of one address. Arguments: its own address, and that one."""

    def c_function(args):
        _call(args[0], args[1])
        return 0

    return _entry(c_function, SOURCE)


class Python:
    """A Python function of a whole number as a C function of a tape. Where it raises something, ``failed`` is told, and
    the tape stops.

    Ctrl-C that came while the tape was played is raised with the first line of Python, and ctypes would drop it. So
    that line is in a generator, where it waits to be gone on with, and already tries.
    """

    def __init__(self, function: Callable[[int], None], failed: Callable[[BaseException], None]):
        answers = self._answers(function, failed)
        next(answers)
        self.function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(ctypes.c_int64))(answers.send)
        self.address = ctypes.cast(self.function, ctypes.c_void_p).value

    @staticmethod
    def _answers(function, failed):
        answer = 0
        while True:
            try:
                while True:
                    arguments = yield answer
                    function(arguments[0])
                    answer = 0
            except GeneratorExit:
                return
            except BaseException as error:
                failed(error)
                answer = OTHERS_LEFT


@cache
def finite() -> Any:
    """Stops the tape where a sum is no longer finite. Arguments: address of the summands (float64), their number."""

    def finite(args):
        total = 0.0
        for part in _array(args[0], (args[1],), nb.float64):
            total += part
        return 0 if math.isfinite(total) else NOT_FINITE

    return _entry(finite, SOURCE)


def leave(meeting: np.ndarray) -> None:
    """Tells the threads that wait at the meeting that someone has left, and will not come."""
    meeting[2] = 1
    if FUTEX:
        at = meeting.ctypes.data + ROUND
        c_library().syscall(ctypes.c_long(FUTEX), ctypes.c_void_p(at), WAKE, 2**30, None)


@cache
def player() -> Any:
    """The calls of a tape, again and again; after each time their arguments are moved on.

    Arguments: addresses of the table (calls × (address, arguments…)) and of the moves; number of calls, width of the
    table; how many times; address of the `meeting`. Returns how often the tape was played to its end, n, or −1 − n
    where a sum is no longer finite.

    After each time the thread looks whether it is asked to leave. It tells the others, who wait for it before they
    write anything that counts: so all of them leave after the same step.
    """

    def play(args):
        calls, width = args[2], args[3]
        table, moves = _array(args[0], (calls * width,), nb.int64), _array(args[1], (calls * width,), nb.int64)
        for time in range(args[4]):
            at = args[0]
            for _ in range(calls):
                answer = _call(_load(at), at + 8)
                if answer:
                    return time if answer == OTHERS_LEFT else -1 - time
                at += 8 * width
            for i in range(table.size):
                table[i] += moves[i]
            if _load(args[5] + BELL):
                _add(args[5] + LEFT, 1)
                return time + 1
        return args[4]

    return _entry(play, SOURCE)


class Playing:
    """The `player` of a table, its moves and the `meeting` of its threads; called with how many times, it plays."""

    def __init__(self, table: np.ndarray, moves: np.ndarray, meeting: np.ndarray):
        self.memory, self.play = (table, moves, meeting), player().ctypes
        self.arguments = np.array([table.ctypes.data, moves.ctypes.data, *table.shape, 1, meeting.ctypes.data])
        self.pointer = self.arguments.ctypes.data_as(ctypes.POINTER(ctypes.c_int64))

    def __call__(self, times: int = 1) -> int:
        self.arguments[4] = times
        return self.play(self.pointer)
