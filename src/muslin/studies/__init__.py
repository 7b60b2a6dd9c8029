"""Comparisons, each one command, ``muslin study NAME``: the course's, and what a recipe is made of. In reading order:
study, the others.

A study is a table: a base configuration, variations of it, what is measured, drawn and said. A new one is a module and
a row here.
"""

from muslin.studies import dead_units, gradients, initialization, loss, mnist, optimizers, recipe

#: name → study
STUDIES = {
    "optimizers": optimizers.STUDY,
    "loss": loss.STUDY,
    "gradients": gradients.STUDY,
    "dead-units": dead_units.STUDY,
    "initialization": initialization.STUDY,
    "mnist": mnist.STUDY,
    "recipe": recipe.STUDY,
}
