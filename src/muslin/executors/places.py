"""Where a cluster of Dask's is, or how one is started: a table of the words that an address may begin with."""

import logging
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from muslin.errors import InputError, unknown, visible
from muslin.files import check_size, read_bytes

#: word → (module, class, pip's name of the package) of who starts nodes for Dask
ENGINES = {
    "slurm": ("dask_jobqueue", "SLURMCluster", "dask-jobqueue"),
    "pbs": ("dask_jobqueue", "PBSCluster", "dask-jobqueue"),
    "sge": ("dask_jobqueue", "SGECluster", "dask-jobqueue"),
    "k8s": ("dask_kubernetes.operator", "KubeCluster", "dask-kubernetes"),
}
#: Dask's own addresses of a scheduler that runs
SCHEDULERS = ("tcp", "tls", "ws", "wss", "ucx")
LOCAL = "127.0.0.1"
LOGGERS = ("distributed", "distributed.client")


class Place:
    """The cluster of an address. ``maximum``: the tasks at a time that it can grow to, 0 where it does not grow.

    Raises InputError: the address is none, a package is missing, the cluster file is not right.
    """

    def __init__(self, address, file=None):
        need_dask()
        self.address, self.cluster, self.maximum = address, None, 0
        word, _, rest = address.partition(":")
        if file is not None and word not in ENGINES:
            raise InputError(f"--cluster-file goes with --cluster {', '.join(ENGINES)}; --cluster is {address}.")
        if word == "local":
            self.cluster = _local(rest)
        elif word in ENGINES and not rest:
            self.cluster, self.maximum = _engine(word, file)
        elif not (word in SCHEDULERS and rest.startswith("//")):
            raise unknown("cluster", address, ["local:4", "tcp://HOST:8786", *ENGINES])

    def client(self, timeout):
        """A client of Dask's. Raises InputError where no scheduler answers in time."""
        from distributed import Client

        try:
            return Client(self.cluster or self.address, timeout=timeout, set_as_default=False, name="muslin")
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            why = visible(str(error).splitlines()[0]) if str(error) else type(error).__name__
            raise InputError(f"There is no Dask scheduler at {self.address} ({why}).") from error

    def close(self):
        if self.cluster:
            with suppress(Exception):
                self.cluster.close()


def need_dask():
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError("--cluster needs Dask: pip install 'muslin[cluster]'") from error
    for name in LOGGERS:  # a scheduler that is gone is told in a sentence of ours
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _local(number):
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


def _engine(word, file):
    """(cluster, tasks at a time at most) of a queue's or of Kubernetes', as its file says."""
    module, name, package = ENGINES[word]
    try:
        make = getattr(import_module(module), name)
    except ImportError as error:
        raise InputError(f"--cluster {word} needs a package: pip install {package}") from error
    if file is None:
        raise InputError(f"--cluster {word} needs --cluster-file FILE: the arguments of {module}.{name}, in YAML.")
    options = _read(file)
    least, most = options.pop("minimum", 0), options.pop("maximum", None)
    if not (type(least) is type(most) is int and 0 <= least <= most and most > 0):
        raise InputError(f"{file}: maximum must be the most workers to have, a whole number from 1 (and minimum less).")
    try:
        cluster = make(**options)
        cluster.adapt(minimum=least, maximum=most)
    except Exception as error:  # theirs to say
        raise InputError(f"{file}: {name} cannot be started: {visible(str(error))}.") from error
    return cluster, most


def _read(file):
    import yaml

    try:
        options = yaml.safe_load(read_bytes(Path(file), "cluster file"))
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not valid YAML: {visible(str(error).splitlines()[0])}.") from error
    check_size(options, file)
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise InputError(f"{file} must hold the arguments of a cluster by their names, such as cores: 8.")
    return options
