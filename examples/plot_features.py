"""
Features for classic classifiers
================================

Which of scikit-learn's classifiers does best on the features of the network?

`MobileNetV2Features` is a transformer: images in, a table of 1,504 numbers per image out. Any
classifier for tables can follow. The features are cached, so the network runs over each image once,
however many classifiers are tried.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)
X_train, X_test, y_train, y_test = data.X_train, data.X_test, data.y_train, data.y_test

# %%
# Each classifier twice: on features and on pixels
# ------------------------------------------------
# Standardised columns suit all of these classifiers.

classifiers = {
    "logistic regression": LogisticRegression(C=0.01, tol=1e-2),
    "support vectors": SVC(),
    "PCA, then support vectors": make_pipeline(PCA(50, random_state=0), SVC()),
    "nearest neighbours": KNeighborsClassifier(),
    "random forest": RandomForestClassifier(random_state=0),
}
features = MobileNetV2Features(weights=data.weights)
rows_train, rows_test = X_train.reshape(len(X_train), -1), X_test.reshape(len(X_test), -1)
accuracies = {}
for label, classifier in classifiers.items():
    on_features = make_pipeline(features, StandardScaler(), classifier).fit(X_train, y_train)
    accuracies[label, "features"] = on_features.score(X_test, y_test)
    on_pixels = make_pipeline(StandardScaler(), classifier).fit(rows_train, y_train)
    accuracies[label, "pixels"] = on_pixels.score(rows_test, y_test)

head = MobileNetV2Classifier(weights=data.weights, random_state=0).fit(X_train, y_train)
accuracies["MobileNetV2Classifier", "features"] = head.score(X_test, y_test)

# %%
# Accuracy by classifier
# ----------------------

labels = [*classifiers, "MobileNetV2Classifier"]
positions = np.arange(len(labels))
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for shift, kind, hatch in ((-0.2, "features", None), (0.2, "pixels", "//")):
    values = [accuracies.get((label, kind), np.nan) for label in labels]
    bars = ax.barh(
        positions + shift, values, height=0.4, hatch=hatch, edgecolor="white", label=f"on {kind}"
    )
    ax.bar_label(bars, [f"{v:.2f}" if v == v else "" for v in values], padding=3)
ax.set(yticks=positions, yticklabels=labels, xlim=(0, 1.15))
ax.set(xlabel=f"accuracy on {len(y_test)} images", title=data.name)
ax.invert_yaxis()
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%

best = {
    kind: max((a, label) for (label, k), a in accuracies.items() if k == kind)
    for kind in ("features", "pixels")
}
for kind, (accuracy, label) in best.items():
    print(f"Best on {kind}: {label}, {accuracy:.3f}")

# %%
# Every classifier does much better on the features of a network that was trained on a million
# photographs than on pixels. On features, a linear classifier such as logistic regression is among
# the best: the network has done the difficult part.
