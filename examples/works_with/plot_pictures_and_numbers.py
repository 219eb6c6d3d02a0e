"""
Pictures and numbers in one table
=================================

How do I use pictures together with other columns?

Put the path of each picture into a column, next to the numbers that belong to it. A
`ColumnTransformer` sends the pictures through `MobileNetV2Features` and scales the numbers; any
classifier for tables follows.
"""

# %%
# A table
# -------
# A column of paths, and a made-up measurement that tells a little about the class.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Features
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000)
print(data.DESCR)
folder = tempfile.TemporaryDirectory()
paths = [Path(folder.name, f"{number}.png") for number in range(len(data.X_train))]
for path, image in zip(paths, data.X_train, strict=True):
    Image.fromarray(image).save(path)
noise = np.random.default_rng(0).normal(scale=3, size=len(paths))
table = pd.DataFrame({"picture": paths, "measurement": data.y_train + noise})
print(table.head())

# %%
# Three classifiers
# -----------------

from_pictures = make_pipeline(MobileNetV2Features(weights=data.weights), StandardScaler())
pictures = ("pictures", from_pictures, ["picture"])
numbers = ("numbers", StandardScaler(), ["measurement"])
accuracies = {}
for name, columns in {
    "numbers": [numbers],
    "pictures": [pictures],
    "pictures and numbers": [pictures, numbers],
}.items():
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression(C=0.01, tol=1e-2))
    accuracies[name] = cross_val_score(model, table, data.y_train, cv=3).mean()
    print(f"{name}: {accuracies[name]:.3f}")
folder.cleanup()

# %%

figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
bars = ax.bar(list(accuracies), list(accuracies.values()), color=["0.6", "C0", "C2"])
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.set(ylabel="accuracy, mean of 3 folds", ylim=(0, 1))
plt.show()

# %%
# A search over the whole pipeline works as for any other; the network runs once per picture.
