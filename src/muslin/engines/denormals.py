"""Numbers below 1e-38 in single precision, 1e-308 in double, too small to be normal, are zero while a network trains.

The moments of an input that is zero for long, and of a dead unit, decay until they are such numbers (denormals), and
then an Intel core takes some hundred cycles for each operation on one: a training slows down from epoch to epoch, two
or three times. Processors can take them for zero where they read them and leave them zero where they would write
them; a register says whether. Each thread has its own, and C's `fenv_t` (fenv.h) holds it.

Elsewhere than in `LAYOUTS` denormals stay what they are, and training may be slow: see `possible`.
"""

import ctypes
import platform
import sys
from functools import cache
from typing import Any, NamedTuple


class Layout(NamedTuple):
    """Of a C library's fenv_t: its bytes, where its control register stands, as which type, and the bits that flush."""

    size: int
    at: int
    register: Any
    bits: int


#: flush to zero (bit 15) and denormals are zero (bit 6) of MXCSR: Intel's Software Developer's Manual, volume 1, 10.2.3
MXCSR = 1 << 15 | 1 << 6
#: FZ of FPCR: both. Arm Architecture Reference Manual, C5.2.8
FPCR = 1 << 24
#: (system, processor) → layout. In glibc, musl and macOS: bits/fenv.h or fenv.h.
LAYOUTS = {
    ("Linux", "x86_64"): Layout(32, 28, ctypes.c_uint32, MXCSR),
    ("Darwin", "x86_64"): Layout(16, 4, ctypes.c_uint32, MXCSR),
    ("Linux", "aarch64"): Layout(8, 0, ctypes.c_uint32, FPCR),
    ("Darwin", "arm64"): Layout(16, 8, ctypes.c_uint64, FPCR),
}
HERE = platform.system(), platform.machine()


class flushed:
    """Denormals are zero for the thread in here, as far as that is `possible`; then it is as it was before, also
    where Ctrl-C comes at any line."""

    def __enter__(self):
        self.c, self.before = _library(), None
        if self.c:
            self.before, now = _environments()
            try:
                self.c.fesetenv(now)
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *error):
        if self.before is not None:
            self.c.fesetenv(self.before)


def flush() -> None:
    """Denormals are zero for this thread from now on, as far as that is `possible`."""
    if c := _library():
        c.fesetenv(_environments()[1])


class Flushing(NamedTuple):
    """For code that is not Python: the addresses of fegetenv and fesetenv, and two fenv_t: one to keep what was before
    in, and that of this thread with denormals zero."""

    get: int
    set: int
    before: Any
    now: Any


def restore(before: Any) -> None:
    """This thread's fenv_t is again what `Flushing` kept."""
    _library().fesetenv(before)


def flushing() -> Flushing | None:
    """None where it is not possible."""
    if (c := _library()) is None:
        return None
    get, set_ = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (c.fegetenv, c.fesetenv))
    return Flushing(get, set_, *_environments())


def _environments():
    """This thread's fenv_t as it is, and as it is to be."""
    layout = LAYOUTS[HERE]
    before, now = (ctypes.create_string_buffer(layout.size) for _ in range(2))
    _library().fegetenv(before)
    now.raw = before.raw
    layout.register.from_buffer(now, layout.at).value |= layout.bits
    return before, now


@cache
def possible() -> bool:
    """Whether `flushed` has an effect here: tried, not looked up."""
    with flushed():
        zero = sys.float_info.min / 2
    return zero == 0.0 < sys.float_info.min / 2


@cache
def _library():
    """The C library with fegetenv and fesetenv; None where the layout of their argument is not known."""
    return ctypes.PyDLL(None) if HERE in LAYOUTS else None
