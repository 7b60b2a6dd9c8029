"""Pages with a network in them, each one file that needs no server and no Python where it is opened.

`playground.html`: draw a digit, see every unit, switch units off, train on. `toy.html`: points in the plane and
decision surfaces while they train. `blackboard.html`: one step of training, every matrix with its numbers.
"""

from pathlib import Path

from muslin import runs
from muslin.report import blackboard, playground, toy
from muslin.runs.settings import Settings

EPOCHS = 15

settings = Settings.read({"dataset": "digits", "hidden_size": [32], "activation": "relu", "epochs": EPOCHS})
data = settings.load_data()
run = runs.create(settings, data, Path("runs"), "drawing", numbered=True)
summary = runs.train(run, data)

playground.write(run, data, "playground.html", samples=50)
toy.write("toy.html")
blackboard.write("blackboard.html", [3, 4, 2], optimizer="adam")
print(f"accuracy   {summary['val_accuracy']:.3f} on the validation pictures")
for page in ("playground.html", "toy.html", "blackboard.html"):
    print(f"{page:18} {Path(page).stat().st_size / 1e3:.0f} kB: open it in a browser")
