"""Pictures of your own: a folder with a folder for each class.

PNG and JPEG files, gray and small (at most 64 pixels a side), as in `pictures/3/some_name.png`. While they are gathered
for a batch, each is moved by up to a pixel and turned by up to ten degrees, another way every time.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from muslin import FeedForwardNeuralNetwork, datasets

EPOCHS = 15

digits = load_digits()
for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
    file = Path("pictures") / ("test" if i % 5 == 0 else "train") / str(label) / f"{i}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255 - image * 15.9)).resize((24, 24), Image.Resampling.BILINEAR).save(file)

data = datasets.load("pictures")
rows, columns = data.image_shape
network = FeedForwardNeuralNetwork([rows * columns, 64, len(data.class_names)], seed=0)
network.fit(data.X_train, data.y_train, epochs=EPOCHS, shift=1, rotate=10, image_shape=data.image_shape)

wrong = np.flatnonzero(network.predict(data.X_test) != data.y_test)
print(f"pictures   {len(data.y_train)} to learn from, {rows} × {columns}, classes {' '.join(data.class_names)}")
print(f"accuracy   {network.score(data.X_test, data.y_test):.3f}, {len(wrong)} of {len(data.y_test)} wrong")
