"""A trained network as one file of plain C, without a library: for a microcontroller, or any program.

W⁽ᵏ⁾ and b⁽ᵏ⁾ are written out as arrays; a layer is two loops. Where a C compiler (`cc`) is there, the file is compiled,
and its answers are compared with the network's. For a table with its preparation: `muslin export RUN --to onnx`.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np

from muslin import FeedForwardNeuralNetwork, datasets

EPOCHS = 20

data = datasets.load("digits")
network = FeedForwardNeuralNetwork([784, 32, 10], "relu", seed=0)
network.fit(data.X_train, data.y_train, epochs=EPOCHS)


def array(name, values):
    """A C array; a matrix row by row. Nine digits give a float32 back to the bit."""
    numbers = ", ".join(f"{v:.9g}" if "." in f"{v:.9g}" or "e" in f"{v:.9g}" else f"{v:.9g}.0" for v in values.ravel())
    return f"static const double {name}[] = {{{numbers}}};"


def layer(k):
    last = "" if k == network.L else " if (a < 0) a = 0;"  # relu; of the output only the largest counts
    n, before = network.sizes[k], network.sizes[k - 1]
    return (
        f"  static double h{k}[{n}];\n"
        f"  for (int i = 0; i < {n}; i++) {{\n"
        f"    double a = b{k}[i];\n"
        f"    for (int j = 0; j < {before}; j++) a += W{k}[i * {before} + j] * h{k - 1}[j];\n"
        f"   {last} h{k}[i] = a;\n  }}\n"
    )


layers = range(1, network.L + 1)
source = f"""#include <stdio.h>
{chr(10).join(array(f"W{k}", network.weights[k]) + chr(10) + array(f"b{k}", network.biases[k]) for k in layers)}

int predict(const unsigned char *pixels) {{
  static double h0[{network.sizes[0]}];
  for (int j = 0; j < {network.sizes[0]}; j++) h0[j] = pixels[j] / 255.0;
{"".join(map(layer, layers))}  int best = 0;
  for (int i = 1; i < {network.sizes[-1]}; i++) if (h{network.L}[i] > h{network.L}[best]) best = i;
  return best;
}}

int main(void) {{
  static unsigned char pixels[{network.sizes[0]}];
  while (fread(pixels, 1, sizeof pixels, stdin) == sizeof pixels) printf("%d\\n", predict(pixels));
}}
"""
Path("network.c").write_text(source)
print(f"network.c  {len(source):,} characters, {network.theta.size:,} parameters")

if shutil.which("cc"):
    subprocess.run(["cc", "-O2", "network.c", "-o", "network"], check=True)
    said = subprocess.run(["./network"], input=data.X_test.tobytes(), capture_output=True, check=True).stdout.split()
    said = np.array(said, dtype=int)
    print(f"the same   {np.sum(said == network.predict(data.X_test))} of {len(said)} answers")
    print(f"accuracy   {np.mean(said == data.y_test):.3f}, computed in C")
