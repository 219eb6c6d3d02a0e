"""
Pictures and numbers in one table
=================================

How do I use pictures together with other columns?

Put the pixels of each picture into columns, next to the numbers that belong to it. A
`ColumnTransformer` sends the pixels through `MobileNetV2Features` and scales the numbers; any
classifier for tables follows.
"""

# %%
# A table
# -------
# 3,072 columns of pixels, and a made-up measurement that tells a little about the class.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Features
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000)
print(data.DESCR)
rng = np.random.default_rng(0)
measurement = data.y_train[:, None] + rng.normal(scale=3, size=(len(data.y_train), 1))
pixels = data.X_train.reshape(len(data.X_train), -1)
table = np.hstack([pixels, measurement]).astype(np.float32)
print(table.shape)

# %%
# Three classifiers
# -----------------
# The pixels are floats here, so their range is stated rather than guessed.

n_pixels = pixels.shape[1]
from_pictures = make_pipeline(
    MobileNetV2Features(
        weights=data.weights, image_shape=data.X_train.shape[1:], pixel_range=(0, 255)
    ),
    StandardScaler(),
)
pictures = ("pictures", from_pictures, slice(0, n_pixels))
numbers = ("numbers", StandardScaler(), [n_pixels])
accuracies = {}
for name, columns in {
    "numbers": [numbers],
    "pictures": [pictures],
    "pictures and numbers": [pictures, numbers],
}.items():
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression(C=0.01, tol=1e-2))
    accuracies[name] = cross_val_score(model, table, data.y_train, cv=3).mean()
    print(f"{name}: {accuracies[name]:.3f}")

# %%

figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
bars = ax.bar(list(accuracies), list(accuracies.values()), color=["0.6", "C0", "C2"])
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.set(ylabel="accuracy, mean of 3 folds", ylim=(0, 1))
plt.show()

# %%
# A search over the whole pipeline works as for any other; the network runs once per picture.
