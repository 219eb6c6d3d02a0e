"""
Calibration: can the probabilities be trusted?
==============================================

Are eight in ten predictions with a probability of 0.8 right?

Neural networks tend to be overconfident. Label smoothing, the default here, works against it while
they are trained. Temperature scaling (scikit-learn 1.8 or later) mends it afterwards: it divides
the logits, the scores before they become probabilities, by one number, learned on images that were
held out. It changes the confidence, and hardly any prediction.
"""

# %%
# Three classifiers
# -----------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000, n_test=2000)
print(data.DESCR)
smoothed = MobileNetV2Classifier(weights=data.weights, random_state=0)
plain = clone(smoothed).set_params(label_smoothing=0.0)
calibrated = CalibratedClassifierCV(plain, method="temperature", cv=3, ensemble=False)
fitted = {
    "without label smoothing": plain.fit(data.X_train, data.y_train),
    "temperature scaling": calibrated.fit(data.X_train, data.y_train),
    "label smoothing": smoothed.fit(data.X_train, data.y_train),
}

# %%
# Reliability curves
# ------------------

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ax.plot([0, 1], [0, 1], "--", color="0.6", label="perfectly calibrated")
for (name, model), marker in zip(fitted.items(), "os^", strict=True):
    probabilities = model.predict_proba(data.X_test).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # they are rounded to float32
    confidence = probabilities.max(axis=1)
    correct = model.classes_[probabilities.argmax(axis=1)] == data.y_test
    share, mean = calibration_curve(correct, confidence, n_bins=8, strategy="quantile")
    ax.plot(mean, share, marker=marker, label=name)
    print(
        f"{name}: accuracy {correct.mean():.3f}, mean confidence {confidence.mean():.3f}, "
        f"log loss {log_loss(data.y_test, probabilities):.3f}"
    )
ax.set(xlabel="confidence", ylabel="share that is correct", title="Reliability")
ax.legend()
plt.show()

# %%
# Below the diagonal a classifier is overconfident, above it underconfident. Either method brings
# confidence close to accuracy here, and lowers the log loss. With tens of thousands of images label
# smoothing makes confidence a little too low.
