"""A cluster as there are in the world: a scheduler and workers that are processes, on the loopback; and PostgreSQL."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

LOCAL = "127.0.0.1"
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def free_port():
    with closing(socket.socket()) as found:
        found.bind((LOCAL, 0))
        return found.getsockname()[1]


class Processes:
    """``python -m distributed.cli.…`` with what it says in a log; each is restarted as a supervisor would do, until it
    is taken away."""

    def __init__(self, folder):
        self.folder, self.port, self.running = Path(folder), free_port(), {}
        self.address = f"tcp://{LOCAL}:{self.port}"

    def scheduler(self):
        words = ["--host", LOCAL, "--port", str(self.port), "--dashboard-address", f"{LOCAL}:0", "--no-show"]
        self._begin("scheduler", ["distributed.cli.dask_scheduler", *words])

    def worker(self, name):
        words = [self.address, "--host", LOCAL, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
        self._begin(name, ["distributed.cli.dask_worker", *words, "--local-directory", str(self.folder)])

    def _begin(self, name, words):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *words], stdout=log, stderr=log, env=os.environ | ONE_THREAD
            )

    def listens(self, seconds=60):
        """Waits for the scheduler."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError), closing(socket.create_connection((LOCAL, self.port), 1)):
                return
            time.sleep(0.1)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def keep_up(self):
        """Begin again what has ended by itself: workers end when their scheduler is gone."""
        for name, process in [*self.running.items()]:
            if process.poll() is not None:
                self.worker(name) if name != "scheduler" else self.scheduler()

    def end(self):
        for name in [*self.running]:
            self.kill(name)


@contextmanager
def cluster(folder, workers):
    found = Processes(folder)
    try:
        found.scheduler()
        found.listens()
        for n in range(workers):
            found.worker(f"w{n}")
        yield found
    finally:
        found.end()


def postgresql_programs():
    """The folder of PostgreSQL's programs, as Debian has them; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return found[-1].parent if found else None


@contextmanager
def postgresql(folder):
    """The URL of an empty database on the loopback. PostgreSQL does not run as root: as the user postgres, then."""
    programs, port = postgresql_programs(), free_port()
    who = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    place = Path(folder) / "postgresql"
    place.mkdir()
    if who:
        account = pwd.getpwnam("postgres")
        os.chown(place, account.pw_uid, account.pw_gid)
        for above in [parent for parent in place.parents if parent.owner() == "root"]:
            if not above.stat().st_mode & 1:
                above.chmod(above.stat().st_mode | 0o011)  # pytest's folders are the user's alone
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **who}
    subprocess.run([programs / "initdb", "-D", place, "-A", "trust", "-U", "muslin"], check=True, **quiet)
    words = ["-h", LOCAL, "-p", str(port), "-k", str(place)]
    server = subprocess.Popen([programs / "postgres", "-D", place, *words], **quiet)
    try:
        ready = [programs / "pg_isready", "-h", LOCAL, "-p", str(port)]
        for _ in range(200):
            if subprocess.run(ready, check=False, **quiet).returncode == 0:
                break
            time.sleep(0.05)
        yield f"postgresql+psycopg://muslin:secret@{LOCAL}:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # it waits for no client
        server.wait(20)
        shutil.rmtree(place, ignore_errors=True)
