"""Sweeps: W&B's sweep file, run on one's own machine.

distributions.py  each distribution as a map from u in (0, 1) to a value     names.py    hyperparameters and metrics by
space.py          parameters → leaves; random draws and the grid                         other names → our settings
schema.py         the file → a checked `Sweep`, or every problem at once     mapping.py  leaves as Optuna's distributions
hyperband.py      W&B's rule for stopping a run early
"""
