"""Tables: what each column is, and how it becomes numbers that a network learns from well.

    values       what people write, as texts, numbers and days
    columns      what each column of a table is: number, category, date, …; shown before training
    preparation  imputed, scaled, one-hot: fitted once, kept with the model as JSON, applied to every table after it
    target       the column to predict, as classes or numbers, and back

Fitting is the work of scikit-learn's transformers. What they learn is a few numbers a column; those are kept, as JSON
that a person can read, that no version of a library can make unreadable, and that, unlike a pickle, runs nothing.
"""

from muslin.preparation.columns import Column, describe
from muslin.preparation.preparation import Preparation, fit
from muslin.preparation.target import Target

__all__ = ["Column", "Preparation", "Target", "describe", "fit"]
