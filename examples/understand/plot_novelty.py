"""
"None of these": pictures of something else
===========================================

How does a classifier notice that a picture shows none of its classes?

It does not: it answers with one of them, often with confidence. A detector on the same features
does notice, because such pictures lie further from the training images.
"""

# %%
# Photographs, and something else
# -------------------------------
# The classifier learns photographs. Later it is also shown handwritten digits.

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.covariance import LedoitWolf
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import ImageFiles, MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_example_data, load_digits_rgb

data = fetch_example_data(n_train=1000, n_test=500)
print(data.DESCR)
side = data.X_test.shape[1]
digits = [Image.fromarray(digit) for digit in load_digits_rgb().images[:500]]
X = np.concatenate([data.X_test, ImageFiles(digits, image_size=side)])
is_strange = np.arange(len(X)) >= len(data.X_test)
classifier = MobileNetV2Classifier(weights=data.weights, random_state=0)
classifier.fit(data.X_train, data.y_train)

# %%
# Confidence and distance
# -----------------------
# Distances are those of Mahalanobis, which count each direction by how much the training images
# vary in it. The features are those that the classifier has computed.

doubt = 1 - classifier.predict_proba(X).max(axis=1)

features = make_pipeline(MobileNetV2Features(weights=data.weights), StandardScaler())
covariance = LedoitWolf().fit(features.fit_transform(data.X_train))
distance = covariance.mahalanobis(features.transform(X))

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for name, score in {"doubt": doubt, "distance": distance}.items():
    RocCurveDisplay.from_predictions(is_strange, score, name=name, ax=ax)
    print(f"{name}: area under the curve {roc_auc_score(is_strange, score):.3f}")
ax.set_title("Telling other pictures from photographs")
plt.show()

# %%
# A threshold
# -----------
# 95 % of the photographs are accepted.

threshold = np.quantile(distance[~is_strange], 0.95)
refused = distance > threshold
print(f"digits that are refused: {refused[is_strange].mean():.1%}")

rows = np.flatnonzero(is_strange)[:4].tolist() + np.flatnonzero(~is_strange)[:4].tolist()
names = data.target_names[classifier.predict(X)]
figure, axes = plt.subplots(2, 4, figsize=(8, 4.6), layout="constrained")
for ax, row in zip(axes.flat, rows, strict=True):
    ax.imshow(X[row])
    ax.set_title("none of these" if refused[row] else names[row])
    ax.axis("off")
plt.show()

# %%
# Pictures of a very different kind are detected by their distance, although the classifier is
# confident. A new class that looks like the known ones, such as trucks among cars, is much harder
# to detect: for that, collect some pictures of it and train it as a class of its own.
