"""Threads that play tapes. They are handed work, and waited for, by what C does in one piece: Ctrl-C, which may break
off any line of Python, leaves no lock behind that another thread would wait for."""

import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Self


class Job:
    """What a thread of a `Crew` does."""

    def __init__(self, function: Callable[..., Any], arguments: tuple):
        self.function, self.arguments = function, arguments
        self.answer: Any = None
        self.error: BaseException | None = None
        self.ended = False
        self.running = Lock()
        self.running.acquire()

    def do(self) -> None:
        try:
            self.answer = self.function(*self.arguments)
        except BaseException as error:
            self.error = error
        self.ended = True
        self.running.release()

    def wait(self) -> None:
        """Until it has ended; again and again, if need be."""
        if not self.ended:
            self.running.acquire()

    def result(self) -> Any:
        """What the function returned, or raises what it raised."""
        self.wait()
        if self.error:
            raise self.error
        return self.answer


class Crew:
    """So many threads, from the first job on to the end of the context; each calls ``begin`` first."""

    def __init__(self, n: int, begin: Callable[[], Any]):
        self.n, self.begin = n, begin
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.threads: list[Thread] = []
        self.process = os.getpid()

    def forked(self) -> bool:
        """Whether this is the child of a fork, in which the threads are not."""
        return os.getpid() != self.process

    def hand(self, function: Callable[..., Any], *arguments: Any) -> Job:
        """Has the next thread that is free call the function."""
        while len(self.threads) < self.n:
            self.threads.append(Thread(target=self._work, daemon=True))
            self.threads[-1].start()
        job = Job(function, arguments)
        self.jobs.put(job)
        return job

    def _work(self):
        self.begin()
        while job := self.jobs.get():
            job.do()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            if thread.ident is not None:  # one that is only just beginning, when Ctrl-C comes, ends by itself
                thread.join()
