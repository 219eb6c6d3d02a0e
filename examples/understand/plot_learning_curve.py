"""
Learning curve: would more images help?
=======================================

How does the accuracy grow with the number of training images?

scikit-learn's `LearningCurveDisplay` fits the classifier on more and more of the images. The
network runs over each image only once, so the whole curve costs little more than its last point.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import LearningCurveDisplay

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1500)  # of the data that need no download there are 800
print(data.DESCR)
X, y = data.X_train, data.y_train

# %%
# The curve
# ---------

display = LearningCurveDisplay.from_estimator(
    MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0),
    X,
    y,
    train_sizes=np.geomspace(0.05, 1, 5),
    cv=3,
    score_name="accuracy",
    std_display_style="errorbar",
)
display.errorbar_[0].lines[0].set_linestyle("--")
display.ax_.legend(["training images", "held-out images"])
display.ax_.set(xscale="log", title=data.name)
display.ax_.set_xticks(display.train_sizes, display.train_sizes, minor=False)
display.ax_.minorticks_off()
plt.show()

# %%

by_size = dict(zip(display.train_sizes, np.mean(display.test_scores, axis=1), strict=True))
for size, accuracy in by_size.items():
    print(f"{size:5d} images: {accuracy:.3f}")
*_, half, whole = by_size
print(f"From {half} to {whole} images: {by_size[whole] - by_size[half]:+.3f}")

# %%
# The accuracy on new images grows quickly at first and then ever more slowly, while the accuracy on
# the training images stays high: the gap between the curves is what more images can still close.
