"""Sweeps: W&B's sweep file, run on one's own machine.

file/             all that reads a sweep file
mapping.py        leaves of its space as Optuna's distributions

claims.py         who runs which trial
storage.py        the database, opened to write or only to read
trial_store.py    the trials in it
directory.py      a sweep's directory: begun, gone on with, refused
search.py         what to try next: random, grid, bayes
trial.py          what a worker does for a trial
program.py        a trial that is a program of the user's own
wandb_file.py     what such a program logged with W&B's client
scheduler.py      the loop
finalists.py      the best once more, with other seeds
retrain.py        the best trial, trained again on all data
analysis.py       what a sweep teaches
watched.py        the page of a sweep that goes on

The workers are executors': see `muslin.executors`.
"""
