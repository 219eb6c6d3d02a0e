"""
A report of an estimator: skore
===============================

How good is it, all in all?

`skore <https://docs.skore.probabl.ai>`_ makes a report of any scikit-learn estimator: scores, times
and curves, each computed once. `MobileNetV2Classifier` is one.
"""

# %%
# The report
# ----------

import matplotlib.pyplot as plt
from skore import EstimatorReport

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000, n_test=600)
print(data.DESCR)
report = EstimatorReport(
    MobileNetV2Classifier(weights=data.weights, random_state=0),
    X_train=data.X_train,
    y_train=data.y_train,
    X_test=data.X_test,
    y_test=data.y_test,
)
print(f"accuracy {report.metrics.accuracy():.3f}")
print(f"log loss {report.metrics.log_loss():.3f}")
for label, recall in report.metrics.recall().items():
    print(f"recall of {data.target_names[label]}: {recall:.2f}")

# %%
# Curves
# ------
# The report draws too: here the ROC curve of each class against the others.

display = report.metrics.roc()
display.plot()
plt.show()

# %%
# The predictions are kept in the report, so each further score costs nothing.
# ``CrossValidationReport`` and ``ComparisonReport`` do the same for folds and for several
# estimators, and the features of each image are computed once for all of them.
