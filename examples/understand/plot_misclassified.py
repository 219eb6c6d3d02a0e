"""
Misclassified images: what went wrong?
======================================

Which images does the classifier get wrong, and where did it look?

A table of errors says how many there are. The images themselves often say why: a wrong label, a
part of an object, an unusual angle.
"""

# %%
# Data and classifier
# -------------------
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import matplotlib.pyplot as plt
import numpy as np

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data
from skcifar.plotting import GradCAMDisplay, PredictionsDisplay

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)
X_train, X_test, y_train, y_test = data.X_train, data.X_test, data.y_train, data.y_test
classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
classifier.fit(X_train, y_train)
errors = classifier.predict(X_test) != y_test
print(f"{data.name}: {errors.sum()} of {len(y_test)} images are classified wrongly")

# %%
# Confident errors
# ----------------
# The errors with the highest probability. Among them are images with a wrong label and images that
# people find hard as well.

confident = PredictionsDisplay.from_estimator(
    classifier,
    X_test,
    y_test,
    class_names=data.target_names,
    order="confident_errors",
    n_images=10,
)

# %%
# Least confident predictions
# ---------------------------
# The images whose best class has the lowest probability, right or wrong.

least_sure = PredictionsDisplay.from_estimator(
    classifier,
    X_test,
    y_test,
    class_names=data.target_names,
    order="least_sure",
    n_images=10,
)

# %%
# Where the classifier looked
# ---------------------------
# Grad-CAM shows, for each of the confident errors, which parts of the image supported the
# predicted class. The map is coarse: the last layer of the network divides an image of this
# size into 3 x 3 cells.

X_wrong = X_test[confident.indices_]
GradCAMDisplay.from_estimator(classifier, X_wrong, class_names=data.target_names)
plt.show()

# %%

probability = classifier.predict_proba(X_test).max(axis=1)
surest = np.argsort(-probability)[: len(y_test) // 2]
print(f"Errors among the surer half of the predictions: {errors[surest].sum()}")
print(f"Errors among the other half: {errors.sum() - errors[surest].sum()}")

# %%
# Most errors are among the uncertain predictions. So `predict_proba` tells which predictions a
# person should check first; the errors in the first figure are the ones that would be missed.
