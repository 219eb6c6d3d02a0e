"""
Cross-validation: how reliable is the accuracy?
===============================================

How much does the accuracy depend on which images are held out?

scikit-learn's cross-validation fits the classifier once for each fold and scores it on the images
that were left out. The network runs over each image only once; every later fold only trains a head.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import cross_validate

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data
from skcifar.plotting import TrainingHistoryDisplay

data = fetch_example_data(n_train=1500)
print(data.DESCR)
X, y = data.X_train, data.y_train

# %%
# Five folds, three scores
# ------------------------
# `cross_validate` splits the images class by class (with `StratifiedKFold`), so that every fold has
# the same share of each class.

classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
folds = cross_validate(
    classifier,
    X,
    y,
    cv=5,
    scoring=["accuracy", "roc_auc_ovr", "neg_log_loss"],
    return_train_score=True,
    return_estimator=True,
)
for score in ("accuracy", "roc_auc_ovr", "neg_log_loss"):
    values = folds[f"test_{score}"]
    print(f"{score:>12}: {values.mean():.3f} +- {values.std(ddof=1):.3f}")

# %%
# What each fold scores
# ---------------------
# An accuracy that is measured on few images varies by chance: the band shows by how much.

test, train = folds["test_accuracy"], folds["train_accuracy"]
mean = test.mean()
by_chance = np.sqrt(mean * (1 - mean) / (len(X) / len(test)))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
numbers = np.arange(1, len(test) + 1)
ax.axhspan(mean - by_chance, mean + by_chance, color="0.9", label="mean +- chance")
ax.plot(numbers, train, "s--", label="images that were trained on")
ax.plot(numbers, test, "o-", label="images that were held out")
ax.set(xticks=numbers, xlabel="fold", ylabel="accuracy", title=f"{data.name}, {len(X)} images")
ax.legend()

# %%
# How each fold learned
# ---------------------
# One curve for each fold, and their mean. A fold that learns differently would stand out here.

TrainingHistoryDisplay.from_estimator(folds["estimator"])
plt.show()

# %%

print(
    f"The folds differ by {test.std(ddof=1):.3f} (standard deviation); chance alone gives "
    f"{by_chance:.3f} on {len(X) // len(test)} images."
)

# %%
# Where both numbers are similar, the differences between the folds say little about the
# classifier: they come from the small number of images. To choose between two classifiers, compare
# them on the same folds, and do not trust a difference that is smaller than this.
