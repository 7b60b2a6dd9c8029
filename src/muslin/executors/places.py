"""Where a cluster of Dask's is, or how one is started: a table of the words that an address may begin with."""

import logging
import signal
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from muslin.documents import read_document
from muslin.errors import InputError, unknown, visible

if TYPE_CHECKING:
    from distributed import Client


class Engine(NamedTuple):
    """Who starts nodes for Dask: its class, pip's name of the package, what is ours of its arguments, and of its
    ``adapt``."""

    module: str
    name: str
    package: str
    options: dict[str, Any]
    adapt: dict[str, Any]


#: Dask has as many nodes as would end all tasks in its target duration, and takes one of unknown length for half a
#: second: with its own 5 s, ten trainings of an hour would begin at one node
SOON = "1ms"
_QUEUE: tuple[dict[str, Any], dict[str, Any]] = {"processes": 1}, {"target_duration": SOON}
#: that of Kubernetes is asked by another program, which asks the scheduler
_PODS: dict[str, Any] = {"quiet": True, "env": {"DASK_DISTRIBUTED__ADAPTIVE__TARGET_DURATION": SOON}}
ENGINES = {
    "slurm": Engine("dask_jobqueue", "SLURMCluster", "dask-jobqueue", *_QUEUE),
    "pbs": Engine("dask_jobqueue", "PBSCluster", "dask-jobqueue", *_QUEUE),
    "sge": Engine("dask_jobqueue", "SGECluster", "dask-jobqueue", *_QUEUE),
    "k8s": Engine("dask_kubernetes.operator", "KubeCluster", "dask-kubernetes", _PODS, {}),
}
#: Dask's own addresses of a scheduler that runs
SCHEDULERS = ("tcp", "tls", "ws", "wss")
ENCRYPTED = ("tls", "wss")
LOCAL = "127.0.0.1"
LOGGERS = ("distributed", "distributed.client")


class Place:
    """The cluster of an address. ``maximum``: the nodes that it can grow to, 0 where it does not grow; ``threads``: of
    each of these, 0 if they have to say it themselves.

    Raises InputError: the address is none, a package is missing, the cluster file is not right.
    """

    def __init__(self, address: str, file: str | Path | None = None):
        need_dask()
        self.address, self.cluster, self.maximum, self.threads = address, None, 0, 0
        word, _, rest = address.partition(":")
        if file is not None and word not in ENGINES:
            raise InputError(f"--cluster-file goes with --cluster {', '.join(ENGINES)}; --cluster is {address}.")
        if word == "local":
            self.cluster = _local(rest)
        elif word in ENGINES and not rest:
            self._begin(word, file)
        elif word in SCHEDULERS and rest.startswith("//"):
            _check(address)
        else:
            raise unknown("cluster", address, ["local:4", "tcp://HOST:8786", *ENGINES])

    def client(self, timeout: float) -> "Client":
        """A client of Dask's. Raises InputError where no scheduler answers in time."""
        from distributed import Client

        try:
            return Client(self.cluster or self.address, timeout=timeout, set_as_default=False, name="muslin")
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            why = visible(str(error).splitlines()[0]) if str(error) else type(error).__name__
            raise InputError(f"There is no Dask scheduler at {self.address} ({why}).") from error

    def room(self, nodes: int, threads: int) -> int:
        """Tasks at a time that there can be, where so many nodes with so many threads in all are there now."""
        each = threads / nodes if nodes else self.threads or 1
        return max(threads, round(self.maximum * each), 1)

    def close(self) -> None:
        if self.cluster:
            with suppress(Exception):
                self.cluster.close()

    def _begin(self, word: str, file: str | Path | None) -> None:
        """A queue's cluster, or Kubernetes', as its file says."""
        engine = ENGINES[word]
        make = _imported(engine, word)
        if file is None:
            raise InputError(
                f"--cluster {word} needs --cluster-file FILE: the arguments of {engine.module}.{engine.name}, in YAML."
            )
        options = _read(file)
        least, most = options.pop("minimum", 0), options.pop("maximum", None)
        if not (type(least) is type(most) is int and 0 <= least <= most and most > 0):
            raise InputError(
                f"{file}: maximum must be the most nodes, a whole number from 1, and minimum not above it."
            )
        try:
            self.cluster = make(**with_ours(options, engine.options))
            self.cluster.adapt(minimum=least, maximum=most, **engine.adapt)
        except Exception as error:  # theirs to say
            self.close()
            raise InputError(f"{file}: {engine.name} cannot be started: {_cause(error)}.") from error
        self.maximum, self.threads = most, (options.get("cores") or 0) // (options.get("processes") or 1)


def need_dask() -> None:
    """Raises InputError where Dask is missing."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError("--cluster needs Dask: pip install 'muslin[cluster]'") from error
    for name in LOGGERS:  # a scheduler that is gone is told in a sentence of ours
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _check(address: str) -> None:
    """Raises InputError for an address that no client of Dask's could be made for."""
    from distributed import Security

    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname and parts.port)
    except ValueError:
        whole = False
    if not whole:
        raise InputError(f"--cluster is {visible(address)}; it must have a host and a port, such as tcp://HOST:8786.")
    try:
        certificates = Security().get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise InputError(f"--cluster {visible(address)}: Dask's certificates cannot be read ({error}).") from error
    if parts.scheme in ENCRYPTED and certificates is None:
        raise InputError(
            f"--cluster {visible(address)} needs certificates: name them in Dask's configuration, such as in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, and of the client CERT and KEY."
        )


def _imported(engine: Engine, word: str) -> Any:
    """Its class. Ctrl-C stays as it was: dask_jobqueue takes it, to end without a word."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        return getattr(import_module(engine.module), engine.name)
    except ImportError as error:
        raise InputError(f"--cluster {word} needs a package: pip install {engine.package}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _cause(error: BaseException) -> str:
    """What is at the bottom of an error."""
    while error.__cause__:
        error = error.__cause__
    return visible(str(error).rstrip(".")) or type(error).__name__


def with_ours(options: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The options of a file with those of ours that it does not have."""
    both = {key: value | options[key] for key, value in ours.items() if _dictionaries(value, options.get(key))}
    return ours | options | both


def _dictionaries(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def _local(number: str) -> Any:
    """Threads of this process that wait for processes of ours: nothing heavier is needed, and others may join."""
    from distributed import LocalCluster

    if not (number.isdecimal() and int(number) > 0):
        raise InputError(f"--cluster is 'local:{visible(number)}'; it must be local:N, N a whole number from 1.")
    return LocalCluster(
        n_workers=1,
        threads_per_worker=int(number),
        processes=False,
        protocol="tcp://",
        host=LOCAL,
        dashboard_address=f"{LOCAL}:0",
        memory_limit=0,
        silence_logs="ERROR",
    )


def _read(file: str | Path) -> dict[str, Any]:
    options = read_document(file, "cluster file")
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise InputError(f"{file} must hold the arguments of a cluster by their names, such as cores: 8.")
    return options
