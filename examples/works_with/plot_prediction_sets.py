"""
Prediction sets with MAPIE
==========================

Which classes can this picture be, with a guarantee?

A classifier names one class. `MAPIE <https://mapie.readthedocs.io>`_ turns its probabilities into
sets of classes that hold the true one in, say, 95 % of all cases: one class where the picture is
easy, several where it is hard.
"""

# %%
# A fitted classifier, and images to calibrate on
# -----------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
from mapie.classification import SplitConformalClassifier

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1500, n_test=2000)
print(data.DESCR)
half = len(data.X_test) // 2
X_calibration, y_calibration = data.X_test[:half], data.y_test[:half]
X_test, y_test = data.X_test[half:], data.y_test[half:]


def as_rows(images):
    """Return one row for each image: MAPIE takes tables only, and the classifier takes both."""
    return images.reshape(len(images), -1)


classifier = MobileNetV2Classifier(weights=data.weights, random_state=0)
classifier.fit(data.X_train, data.y_train)
print(f"accuracy {classifier.score(X_test, y_test):.3f}")

# %%
# Sets of classes
# ---------------

levels = [0.8, 0.9, 0.95, 0.99]
conformal = SplitConformalClassifier(classifier, confidence_level=levels, conformity_score="lac")
conformal.conformalize(as_rows(X_calibration), y_calibration)
y_pred, sets = conformal.predict_set(as_rows(X_test))  # sets: (n_images, n_classes, n_levels)

covered = sets[np.arange(len(y_test)), y_test].mean(axis=0)
sizes = sets.sum(axis=1).mean(axis=0)
for level, share, size in zip(levels, covered, sizes, strict=True):
    print(f"asked for {level:.0%}: holds the true class in {share:.1%}, {size:.2f} classes a set")

# %%
# Easy and hard pictures
# ----------------------
# The sets at 95 %.

of_95 = sets[:, :, levels.index(0.95)]
order = np.argsort(of_95.sum(axis=1), kind="stable")
rows = order[np.linspace(0, len(order) - 1, 8).astype(int)]
figure, axes = plt.subplots(2, 4, figsize=(8, 5), layout="constrained")
for ax, row in zip(axes.flat, rows, strict=True):
    ax.imshow(X_test[row])
    candidates = [str(name) for name in data.target_names[of_95[row]]]
    if len(candidates) > 4:
        candidates = [*candidates[:3], f"and {len(candidates) - 3} more"]
    ax.set_title("\n".join(candidates) or "(none)", fontsize="medium")
    ax.axis("off")
plt.show()

# %%
# The guarantee holds for new images of the same kind as those that were calibrated on. The number
# of classes in a set says more about a single picture than its highest probability does.
