"""The command line: ``muslin COMMAND …``, one file a command.

Exit codes: 0 done, 2 the input was wrong (one line says what), 130 interrupted. With ``--json`` a command prints one
JSON object on standard output and everything else on standard error.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any, NoReturn

from muslin.errors import MESSAGE, Diverged, InputError, shown, visible

COMMANDS = {
    "data": "Get a data set, verify it, and say what is in it.",
    "samples": "Draw one image of each class.",
    "train": "Train a network.",
    "evaluate": "Measure a trained network on the test set.",
    "predict": "Name what is on pictures, or predict the rows of a table.",
    "ensemble": "Let trained networks answer together, as one run.",
    "export": "Write a trained network as ONNX, or for PyTorch.",
    "sweep": "Search for good settings with a W&B sweep file, offline.",
    "offline": "Run a program that uses wandb, sweeps too, without an account.",
    "serve": "Be a Weights & Biases server for this machine or your lab.",
    "best": "Train a sweep's best configuration on all data and test it.",
    "transfer": "Train a network on another data set, against the same from scratch.",
    "study": "Compare optimizers, losses, initializers, … as the course asks.",
    "compare": "Tabulate runs, and test whether they differ.",
    "playground": "Put a trained network into a page that runs it.",
    "blackboard": "Show one training step, every matrix with its numbers.",
    "report": "Make a page of a run or a sweep, to look at and to send.",
    "watch": "Show a run or a sweep while it trains.",
    "bench": "Time a training step on this machine.",
    "doctor": "Say what this machine has and lacks, and what to do.",
    "help": "Help on a command, a setting or a topic.",
    "gradcheck": "Compare backward propagation with central differences.",
}

#: command → its file, where that cannot have its name
FILES = {"help": "topics"}


def main(argv: list[str] | None = None) -> None:
    """Run a command and exit with its code."""
    argv = (sys.argv[1:] if argv is None else argv) or ["--help"]
    with exit_codes():
        try:
            sys.exit(_app(argv)(argv, standalone_mode=False, prog_name="muslin") or 0)
        except Exception as error:
            if not hasattr(error, "format_message"):  # typer's own say what was wrong with the line that was typed
                raise
            command = next((word for word in argv if word in COMMANDS), "")
            _fail(f"{error.format_message().rstrip('.')}; see: muslin {command} --help".replace("  ", " "))


@contextmanager
def exit_codes() -> Iterator[None]:
    """What a person did wrong ends the program with one line and 2, Ctrl-C with 130."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has not
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks
    with _ctrl_c():
        try:
            yield
        except (InputError, Diverged, OSError, MemoryError) as error:
            _fail(_sentence(error) or "Not enough memory.")
        except (KeyboardInterrupt, Interrupted) as error:
            _fail(str(error) or "Interrupted.", 130)


def _sentence(error: BaseException) -> str:
    """What an error says; the system's own without its number, and with no more of the name than can be read."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{shown(str(error.filename))}: {error.strerror}."
    return str(error)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """The first Ctrl-C is a KeyboardInterrupt, so that what is done is kept; the second ends the process at once."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # such as in a notebook
        yield
        return
    presses: list[int] = []

    def press(number: int, frame: Any) -> None:
        if presses:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)
            os._exit(130)
        presses.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


SHOW_CURSOR = b"\x1b[?25h\n"


def _fail(message: str, code: int = 2) -> NoReturn:
    line = visible(" ".join(message.split()))
    print(f"muslin: {line if len(line) <= MESSAGE else line[:MESSAGE] + '…'}", file=sys.stderr)
    sys.exit(code)


def _app(argv: list[str]) -> Any:
    """The typer application. Only the command that is called is imported, so that ``--help`` is there at once."""
    import typer

    from muslin import __version__

    app = typer.Typer(
        help="A feed-forward neural network written out in NumPy: train it, measure it, look at it.",
        epilog="Start with: muslin train --dataset digits",
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=True,
        pretty_exceptions_enable=False,
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            print(f"muslin {__version__}")
            raise typer.Exit

    @app.callback()
    def _options(
        version: bool = typer.Option(
            False, "--version", callback=show_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        pass

    called = next((word for word in _typed(argv) if not word.startswith("-")), None)
    for name, text in COMMANDS.items():
        module = import_module(f"muslin.cli.{FILES.get(name, name)}") if name == called else None
        function = module.command if module else _stub
        about = f"{text}\n\n{' '.join((function.__doc__ or '').split())}"
        settings = getattr(module, "CONTEXT", None)
        app.command(name, help=about, short_help=text, context_settings=settings)(_interruptible(function))
    return typer.main.get_command(app)


def _typed(argv: list[str]) -> list[str]:
    """The words of the line, also of one that a shell wants to have completed."""
    if "_MUSLIN_COMPLETE" not in os.environ:
        return argv
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]


class Interrupted(Exception):
    """Ctrl-C. The message says how to go on."""


def _interruptible(function: Callable[..., Any]) -> Callable[..., Any]:
    """The command with Ctrl-C as an exception of ours; typer would take KeyboardInterrupt and drop its message."""

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except KeyboardInterrupt as error:
            raise Interrupted(str(error)) from None

    return command


def _stub() -> None:
    pass
