"""
A map of the features
=====================

Which classes look alike to the network, before anything is trained?

The frozen network turns an image into 1,504 numbers. Projected to two dimensions they form a map:
images that lie close together look alike to the network, and are hard to tell apart.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Features
from skcifar.datasets import fetch_example_data
from skcifar.plotting import FeatureMapDisplay

data = fetch_example_data(n_train=1000)
print(data.DESCR)
X, y = data.X_train, data.y_train

features = make_pipeline(MobileNetV2Features(weights=data.weights), StandardScaler()).fit(X)

# %%
# Principal components
# --------------------
# The two directions in which the features vary most: quick, and distances can be read off.

display = FeatureMapDisplay.from_estimator(features, X, y, class_names=data.target_names)
display.ax_.set_title(f"{data.name}: principal components")

# %%
# t-SNE
# -----
# Keeps neighbours together, and shows groups more clearly. Distances between groups mean little.

display = FeatureMapDisplay.from_estimator(
    features, X, y, method="tsne", random_state=0, class_names=data.target_names
)
display.ax_.set_title(f"{data.name}: t-SNE")
plt.show()

# %%
# The closest classes
# -------------------
# Measured in all dimensions, between the means of the classes.

rows = features.transform(X)
means = np.array([rows[y == label].mean(axis=0) for label in np.unique(y)])
distances = pairwise_distances(means)
upper = np.triu_indices(len(means), k=1)
for closest in np.argsort(distances[upper])[:3]:
    a, b = (data.target_names[index[closest]] for index in upper)
    print(f"{a} and {b}: {distances[upper][closest]:.1f} apart")
print(f"All pairs: {distances[upper].mean():.1f} apart on average")

# %%
# Classes that are close together here tend to be the ones that a classifier on these features
# confuses. Nothing was trained: the map shows what the pretrained network knows.
