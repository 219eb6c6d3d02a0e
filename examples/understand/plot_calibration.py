"""
Calibration: can the probabilities be trusted?
==============================================

Are eight in ten predictions with a probability of 0.8 right?

Without label smoothing, neural networks tend to be overconfident. Temperature scaling (scikit-learn
1.8 or later) divides the logits by one number, learned on images that were held out. It changes the
confidence, and hardly any prediction.
"""

# %%
# With and without calibration
# ----------------------------

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1000, n_test=2000)
print(data.DESCR)
# A high learning rate, without dropout and label smoothing: accurate, and overconfident.
classifier = MobileNetV2Classifier(
    weights=data.weights, learning_rate=0.01, dropout=0.0, label_smoothing=0.0, random_state=0
)
calibrated = CalibratedClassifierCV(classifier, method="temperature", cv=3, ensemble=False)
fitted = {
    "as it is": classifier.fit(data.X_train, data.y_train),
    "temperature scaling": calibrated.fit(data.X_train, data.y_train),
}

# %%
# Reliability curves
# ------------------

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ax.plot([0, 1], [0, 1], "--", color="0.6", label="perfectly calibrated")
for (name, model), marker in zip(fitted.items(), "os", strict=True):
    probabilities = model.predict_proba(data.X_test)
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
# Below the diagonal a classifier is overconfident. After calibration its confidence is close to its
# accuracy, and the log loss is lower.
