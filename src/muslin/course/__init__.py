"""The course's entry points: what `train.py`, `training.py` and `datapreprocessing.py` do.

arguments.py      train.py's table of arguments → our settings; our best configuration
train.py          one training run
training.py       data, sweep, the best model, its test
samples.py        an image of each class
"""
