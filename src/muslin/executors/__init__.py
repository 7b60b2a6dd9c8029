"""Executors: who does a list of tasks, most of them trainings, for a process that wants them done.

executor.py    what each of them is
processes.py   worker processes of this machine
cluster.py     a cluster of Dask's, whose nodes come and go
node.py        what runs at its nodes
places.py      where such a cluster is, or how it is started: local, tcp://…, slurm, pbs, sge, k8s
worker.py      the process that does one task after the other, here and at a node
training.py    the usual task: to train a run directory
jobs.py        a list of tasks, done to its end
"""

from muslin.executors.executor import Executor, executor

__all__ = ["Executor", "executor"]
