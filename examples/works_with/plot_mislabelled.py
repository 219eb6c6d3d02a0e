"""
Find mislabelled pictures with cleanlab
=======================================

Which of my labels are wrong?

`cleanlab <https://docs.cleanlab.ai>`_ compares the label of each picture with probabilities from
cross-validation. These cost seconds here, because the network runs once per image, however many
folds there are. So that the truth is known, this example first makes some labels wrong on purpose.
"""

# %%
# Pictures, one in twenty with a wrong label
# ------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.model_selection import cross_val_predict

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=2000)
print(data.DESCR)
X, truth, names = data.X_train, data.y_train, data.target_names

rng = np.random.default_rng(0)
spoilt = rng.choice(len(X), size=len(X) // 20, replace=False)
labels = truth.copy()
labels[spoilt] = (truth[spoilt] + rng.integers(1, len(names), len(spoilt))) % len(names)
print(f"{len(spoilt)} of {len(X)} labels are wrong")

# %%
# Probabilities from cross-validation, and the suspects
# -----------------------------------------------------

classifier = MobileNetV2Classifier(weights=data.weights, random_state=0)
probabilities = cross_val_predict(classifier, X, labels, cv=5, method="predict_proba")
suspects = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")

found = np.isin(suspects, spoilt)
print(f"{len(suspects)} suspects, of which {found.sum()} are wrong labels")
print(f"Among the first {len(spoilt)} suspects: {found[: len(spoilt)].sum()}")

# %%
# The first suspects
# ------------------

figure, axes = plt.subplots(2, 4, figsize=(8, 4.6), layout="constrained")
for ax, row in zip(axes.flat, suspects, strict=False):
    ax.imshow(X[row])
    ax.set_title(f'label "{names[labels[row]]}"\nlooks like {names[probabilities[row].argmax()]}')
    ax.axis("off")
plt.show()

# %%
# How many pictures to check
# --------------------------

figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(np.arange(1, len(found) + 1), np.cumsum(found) / len(spoilt), label="by suspicion")
ax.plot([0, len(X)], [0, 1], "--", color="0.5", label="in random order")
ax.set(
    xlim=(0, len(suspects)),
    ylim=(0, 1),
    xlabel="pictures checked",
    ylabel="share of the wrong labels found",
)
ax.legend()
plt.show()

# %%
# A person who looks at the suspects, most suspicious first, finds most of the wrong labels after a
# small part of the pictures. Correct them and fit again.
