"""``nox``: the built package in empty environments: alone, with each extra, and with the oldest NumPy.

An interpreter that is not on this machine is skipped, and said to be.
"""

import nox

nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
EXTRAS = ["fast", "sweep", "wandb", "report", "server", "tables", "onnx"]


def works(session):
    """A network is trained, and nothing that is installed is too old."""
    session.cd(session.create_tmp())
    session.run("muslin", "doctor")
    session.run("muslin", "train", "--dataset", "digits", "--epochs", "2")


@nox.session(python=PYTHONS)
def core(session):
    session.install(".")
    works(session)


@nox.session(python=PYTHONS)
@nox.parametrize("name", EXTRAS)
def extra(session, name):
    session.install(f".[{name}]")
    works(session)


@nox.session(python="3.11")
def oldest_numpy(session):
    session.install(".", "numpy==2.0.*")
    works(session)
