"""All that reads a sweep file.

A staircase: each file asks only those below it.

ours.py           the file → a `Sweep`; what keeps it from training our own network
spellings.py      hyperparameters and metrics by their other names → our settings
schema.py         the file → a `Sweep`, of whatever is trained
problems.py       every problem of a file at once; what in a valid one is doubtful
parameters.py     the problems of its parameters
hyperband.py      W&B's rule for stopping a run early, and the problems of its key
space.py          parameters → leaves; random draws and the grid
distributions.py  each distribution as a map from u in (0, 1) to a value
keys.py           keys that are unknown, wrong or missing
fields.py         the keys of the file, and what each may be
"""
