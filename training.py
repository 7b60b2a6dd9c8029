"""The assignment from the data to the confusion matrix: ``python training.py --help``. Run again, it goes on.

In IPython, after ``run training.py``, network, history, test_accuracy and confusion are there to play with.
"""

from pathlib import Path

from muslin.course.training import main

if __name__ == "__main__":
    network, history, test_accuracy, confusion = main(Path(__file__).parent / "sweeps" / "training.yaml")
