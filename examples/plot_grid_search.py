"""
Grid search over learning rates
===============================

Which learning rate suits the head?

A grid search in a Pipeline, with scikit-learn's own tools. The network runs over each image only
once: every fold, every learning rate and the refit reuse the cached features.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

# %%
# Data
# ----
# A part of the training images is enough to choose the learning rate.

data = fetch_example_data(n_train=3000, n_test=500)
print(data.DESCR)

# %%
# The search
# ----------

pipeline = Pipeline(
    [
        ("normalize", ImageNormalizer()),
        ("classify", MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)),
    ]
)
learning_rates = [1e-5, 1e-4, 1e-3, 1e-2]
search = GridSearchCV(pipeline, {"classify__learning_rate": learning_rates}, cv=3)
search.fit(data.X_train, data.y_train)
print(f"Best learning rate: {search.best_params_['classify__learning_rate']:g}")
accuracy = search.score(data.X_test, data.y_test)
print(f"Accuracy on {len(data.y_test)} images held out: {accuracy:.3f}")

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
    title=f"{data.name}, {len(data.X_train)} images",
)
plt.show()

# %%
# The accuracy rises with the learning rate, is flat over a factor of about ten, and falls or
# varies at the largest one. Any value from the flat part works, such as 1e-3.
