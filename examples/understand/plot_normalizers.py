"""
Normalisers compared
====================

Does it matter how the pixels are scaled?

The classifier maps whatever range of pixels it is given to what the network was trained on. A
normaliser is therefore optional, as long as the same one is used for training
and for prediction. This example compares all of them, and makes the most common mistake once.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)
X_train, X_test, y_train, y_test = data.X_train, data.X_test, data.y_train, data.y_test

# %%
# What the normalisers do
# -----------------------

for method in ("unit", "symmetric", "standardize"):
    pixels = ImageNormalizer(method).fit_transform(X_train)
    print(f"{method:>12}: {pixels.min():6.2f} to {pixels.max():5.2f}, mean {pixels.mean():5.2f}")

# %%
# One fit for each
# ----------------
# ``"standardize"`` leaves pixels in a range of its own. The classifier then takes the least and the
# greatest pixel for the range, and warns; ``pixel_range`` says which range is meant.

classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
standardize = ImageNormalizer("standardize").fit(X_train)
darkest, brightest = (standardize.transform(np.full_like(X_train[:1], p)) for p in (0, 255))
pixel_range = (float(darkest.min()), float(brightest.max()))
print(f"Standardised pixels lie between {pixel_range[0]:.2f} and {pixel_range[1]:.2f}")

classifiers = {
    "none: bytes as they are": make_pipeline(clone(classifier)),
    "unit: [0, 1]": make_pipeline(ImageNormalizer("unit"), clone(classifier)),
    "symmetric: [-1, 1]": make_pipeline(ImageNormalizer("symmetric"), clone(classifier)),
    "standardize": make_pipeline(
        ImageNormalizer("standardize"), clone(classifier).set_params(pixel_range=pixel_range)
    ),
}
predictions = {
    label: pipeline.fit(X_train, y_train).predict(X_test) for label, pipeline in classifiers.items()
}

# %%
# The mistake: the normaliser is missing at prediction. The classifier warns.

trained_on_unit = classifiers["unit: [0, 1]"][-1]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    predictions["trained on unit, given bytes"] = trained_on_unit.predict(X_test)
print(caught[0].message)

# %%
# Accuracy by normaliser
# ----------------------

accuracies = {label: (y_pred == y_test).mean() for label, y_pred in predictions.items()}
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
bars = ax.barh(
    list(accuracies), list(accuracies.values()), color=["C0"] * 4 + ["C1"], edgecolor="white"
)
bars[-1].set_hatch("//")
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.set(xlim=(0, 1.1), xlabel=f"accuracy on {len(y_test)} images", title=data.name)
ax.invert_yaxis()
plt.show()

# %%

plain, *others = predictions.values()
for label, y_pred in list(predictions.items())[1:]:
    print(f"{label:>30}: {(y_pred == plain).mean():.1%} of the predictions as without a normaliser")

# %%
# Without a normaliser, with ``"unit"`` and with ``"symmetric"`` the network sees the same numbers,
# up to rounding. ``"standardize"`` shifts colours and contrast a little, which changes some
# predictions. It is harmful to train on one range and predict on another: put the normaliser
# into a `Pipeline`, and that cannot happen.
