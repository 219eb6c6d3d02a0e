"""
A search with a time limit: Optuna
==================================

What is the best classifier that 20 seconds can find?

A grid search takes as long as the grid is large. `Optuna <https://optuna.org>`_ draws parameters,
learns from each trial where to look next, and stops when its time is up. A trial is a whole
cross-validation, and takes a second or two: the network ran over the images before.
"""

# %%
# What one trial does
# -------------------

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.model_selection import cross_val_score

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000, n_test=1000)
print(data.DESCR)


def make_classifier(parameters):
    return MobileNetV2Classifier(weights=data.weights, random_state=0, **parameters)


def mean_accuracy(trial):
    parameters = {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.7),
        "hidden_units": trial.suggest_categorical("hidden_units", [64, 256]),
        "epochs": trial.suggest_int("epochs", 5, 20),
    }
    return cross_val_score(make_classifier(parameters), data.X_train, data.y_train, cv=3).mean()


# %%
# 20 seconds of search
# --------------------
# The features are computed before, so that the time goes into trials.

MobileNetV2Features(weights=data.weights).fit(data.X_train).transform(data.X_train)

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(mean_accuracy, timeout=20)

print(f"{len(study.trials)} trials, best mean accuracy {study.best_value:.3f}")
for name, value in study.best_params.items():
    print(f"    {name}: {value:.3g}")

best = make_classifier(study.best_params).fit(data.X_train, data.y_train)
print(f"accuracy on {len(data.y_test)} other images: {best.score(data.X_test, data.y_test):.3f}")

# %%
# Accuracy by search time
# -----------------------

start = study.trials[0].datetime_start
seconds = [(trial.datetime_complete - start).total_seconds() for trial in study.trials]
values = [trial.value for trial in study.trials]
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(seconds, values, "o", alpha=0.6, label="trials")
ax.step(seconds, np.maximum.accumulate(values), where="post", label="best so far")
low = np.quantile(values, 0.1)
ax.set(xlabel="seconds", ylabel="accuracy, mean of 3 folds", ylim=(low - 0.02, max(values) + 0.01))
ax.legend(loc="lower right")
plt.show()

# %%
# Most of the gain comes early. What was chosen by cross-validation is checked on images that the
# search has not seen.
