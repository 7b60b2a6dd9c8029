"""A table with gaps and texts: learn one of its columns.

Each column becomes numbers by what it holds; what that takes (means, medians, categories) is learned from the training
rows alone, and kept. A fifth of the rows is the test. On the command line: `muslin train -d wines.csv --target wine`.
"""

import numpy as np
from sklearn.datasets import load_wine

from muslin import FeedForwardNeuralNetwork, datasets

EPOCHS = 60

wines = load_wine(as_frame=True).frame.rename(columns={"target": "wine"})
wines["wine"] = wines["wine"].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
wines["color"] = np.where(wines.pop("color_intensity") > 4.7, "dark", "light")  # a category
wines.loc[::7, "magnesium"] = np.nan  # and gaps
wines.to_csv("wines.csv", index=False)

data = datasets.load("wines.csv", table=datasets.TableOptions(target="wine"))
network = FeedForwardNeuralNetwork([data.X_train.shape[1], 16, 3], seed=1)
network.fit(data.X_train, data.y_train, epochs=EPOCHS, batch_size=16)

print("features  ", ", ".join(data.table.preparation.features))
print("said      ", [data.class_names[k] for k in network.predict(data.X_test[::8])])
print(f"accuracy   {network.score(data.X_test, data.y_test):.3f} of {len(data.y_test)} wines it has not seen")
