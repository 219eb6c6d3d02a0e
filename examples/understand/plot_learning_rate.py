"""
Finding learning rates to search
================================

Which learning rates are worth a grid search?

`find_learning_rate` trains briefly, with a learning rate that grows with every step, and watches
the loss: too small a rate changes nothing, too large a one makes training diverge. It suggests a
rate in between.
"""

# %%
# Data
# ----
# A part of CIFAR-10 where it is available, otherwise data that need no download.

import matplotlib.pyplot as plt

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data
from skcifar.model_selection import find_learning_rate
from skcifar.plotting import LearningRateDisplay

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)

# %%
# A short run
# -----------

classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
found = find_learning_rate(classifier, data.X_train, data.y_train)
LearningRateDisplay.from_bunch(found)
plt.show()

# %%
# The suggested learning rate
# ---------------------------
# One rate, and a grid around it for `GridSearchCV`.

print(f"Suggested: {found.suggestion:.2g}")
print(f"Grid: {found.param_grid}")
for learning_rate in (found.suggestion / 100, found.suggestion):
    classifier.set_params(learning_rate=learning_rate).fit(data.X_train, data.y_train)
    accuracy = classifier.score(data.X_test, data.y_test)
    print(f"Accuracy at {learning_rate:.2g}: {accuracy:.3f}")

# %%
# On the left the steps are too small and the loss stays flat; on the right they are too large and
# it rises. The suggestion lies where the loss falls; a hundredth of it learns far less in the same
# time.
