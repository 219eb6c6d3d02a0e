"""
Learning curve: would more images help?
=======================================

How does the accuracy grow with the number of training images?

scikit-learn's `LearningCurveDisplay` fits the classifier on more and more of the images. The
network runs over each image once in all, so the whole curve costs little more than its last point.
"""

# %%
# Data
# ----
# A part of CIFAR-10, or the handwritten digits where CIFAR-10 or the weights cannot be had.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import LearningCurveDisplay, train_test_split

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_cifar10, load_digits_rgb

try:
    images, target = fetch_cifar10(return_X_y=True)
    MobileNetV2Features(weights="imagenet").fit(images[:1])
    name, weights = "CIFAR-10", "imagenet"
except OSError as error:
    print(f"Going on with scikit-learn's handwritten digits and a random network. {error}\n")
    images, target = load_digits_rgb(return_X_y=True)
    name, weights = "handwritten digits", None

X, _, y, _ = train_test_split(images, target, train_size=1500, stratify=target, random_state=0)
print(f"{name}: {len(X)} images")

# %%
# The curve
# ---------

display = LearningCurveDisplay.from_estimator(
    MobileNetV2Classifier(weights=weights, epochs=10, random_state=0),
    X,
    y,
    train_sizes=[100, 200, 400, 800, 1000],
    cv=3,
    score_name="accuracy",
    std_display_style="errorbar",
)
display.ax_.set(xscale="log", title=name)
display.ax_.set_xticks(display.train_sizes, display.train_sizes, minor=False)
display.ax_.minorticks_off()
plt.show()

# %%

by_size = dict(zip(display.train_sizes, np.mean(display.test_scores, axis=1), strict=True))
for size, accuracy in by_size.items():
    print(f"{size:5d} images: {accuracy:.3f}")
print(f"From 800 to 1000 images: {by_size[1000] - by_size[800]:+.3f}")

# %%
# The accuracy on new images grows quickly at first and then ever more slowly, while the accuracy on
# the training images stays high: the gap between the curves is what more images can still close.
