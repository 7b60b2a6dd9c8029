"""The course's comparisons, each one command: ``muslin study NAME``. In reading order: study, the six studies.

A study is a table: a base configuration, variations of it, what is measured, drawn and said. A new one is a module and
a row here.
"""

from muslin.studies import dead_units, gradients, initialization, loss, mnist, optimizers

#: name → study
STUDIES = {
    "optimizers": optimizers.STUDY,
    "loss": loss.STUDY,
    "gradients": gradients.STUDY,
    "dead-units": dead_units.STUDY,
    "initialization": initialization.STUDY,
    "mnist": mnist.STUDY,
}
