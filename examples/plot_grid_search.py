"""
Grid search over learning rates
===============================

Which learning rate suits the head?

A grid search in a Pipeline, with scikit-learn's own tools. The network runs once over each image
in all: every fold, every learning rate and the refit find the features that are there already.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_cifar10, load_digits_rgb

try:
    images, target = fetch_cifar10(return_X_y=True)
    MobileNetV2Features(weights="imagenet").fit(images[:1])
    name, weights = "CIFAR-10", "imagenet"
except OSError as error:
    print(f"Going on with scikit-learn's handwritten digits and a random network. {error}\n")
    images, target = load_digits_rgb(return_X_y=True)
    name, weights = "handwritten digits", None

# %%
# A part of the training images is enough to choose by.

n_images = min(3000, len(images) - 500)
X, X_test, y, y_test = train_test_split(
    images, target, train_size=n_images, test_size=500, stratify=target, random_state=0
)

# %%
# The search
# ----------

pipeline = Pipeline(
    [
        ("normalize", ImageNormalizer()),
        ("classify", MobileNetV2Classifier(weights=weights, epochs=10, random_state=0)),
    ]
)
learning_rates = [1e-5, 1e-4, 1e-3, 1e-2]
search = GridSearchCV(pipeline, {"classify__learning_rate": learning_rates}, cv=3)
search.fit(X, y)
print(f"Best learning rate: {search.best_params_['classify__learning_rate']:g}")
print(f"Accuracy on {len(y_test)} images held out: {search.score(X_test, y_test):.3f}")

# %%
# Accuracy by learning rate
# -------------------------

results = search.cv_results_
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.errorbar(
    learning_rates,
    results["mean_test_score"],
    yerr=results["std_test_score"],
    marker="o",
    capsize=4,
)
ax.set(
    xscale="log",
    xlabel="learning rate",
    ylabel="accuracy, mean and deviation of 3 folds",
    title=f"{name}, {n_images} images",
)
plt.show()

# %%
# The accuracy rises with the learning rate, is level over a factor of about ten, and falls or
# wavers at the greatest: any value from the level part will do, 1e-3 among them.
