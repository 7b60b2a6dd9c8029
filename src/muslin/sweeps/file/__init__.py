"""All that reads a sweep file.

fields.py         the keys of the file, and what each may be
distributions.py  each distribution as a map from u in (0, 1) to a value
space.py          parameters → leaves; random draws and the grid
hyperband.py      W&B's rule for stopping a run early
check.py          every problem of a file at once; what in a valid one is doubtful
schema.py         the file → a `Sweep`
spellings.py      hyperparameters and metrics by their other names → our settings
ours.py           what keeps a file from training our own network
"""
