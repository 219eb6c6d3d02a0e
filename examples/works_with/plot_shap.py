"""
Explain a prediction with SHAP
==============================

Which parts of a picture supported its class?

`SHAP <https://shap.readthedocs.io>`_ hides parts of a picture and watches the probabilities. It
does so for a few hundred variants of the picture, in one call of ``predict_proba``. For
the view from inside the network, see `GradCAMDisplay`.
"""

# %%
# A classifier and four of its errors
# -----------------------------------

import matplotlib.pyplot as plt
import numpy as np
import shap

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data
from skcifar.plotting import PredictionsDisplay

data = fetch_example_data(n_train=1500, n_test=600)
print(data.DESCR)
classifier = MobileNetV2Classifier(weights=data.weights, feature_cache=None, random_state=0)
classifier.fit(data.X_train, data.y_train)
display = PredictionsDisplay.from_estimator(
    classifier,
    data.X_test,
    data.y_test,
    class_names=data.target_names,
    order="confident_errors",
    n_images=4,
)

# %%
# What supported the predicted class
# ----------------------------------
# Hidden parts are filled in from the mean of the training images.

X = data.X_test[display.indices_]
explainer = shap.Explainer(
    classifier.predict_proba,
    shap.maskers.Image(data.X_train.mean(axis=0)),
    output_names=[str(name) for name in data.target_names],
)
explanation = explainer(
    X.astype(np.float32), max_evals=200, outputs=shap.Explanation.argsort.flip[:1], silent=True
)

figure, axes = plt.subplots(2, len(X), figsize=(8, 4.4), layout="constrained", squeeze=False)
for column, image in enumerate(X):
    effect = explanation.values[column, ..., 0].sum(axis=-1)
    largest = np.abs(effect).max()
    axes[0, column].imshow(image)
    axes[0, column].set_title(f"true: {data.target_names[data.y_test[display.indices_[column]]]}")
    axes[1, column].imshow(image.mean(axis=-1), cmap="gray", alpha=0.5)
    axes[1, column].imshow(effect, cmap="RdBu_r", vmin=-largest, vmax=largest, alpha=0.7)
    axes[1, column].set_title(f"for {data.target_names[display.y_pred[display.indices_[column]]]}")
for ax in axes.flat:
    ax.axis("off")
plt.show()

# %%
# Red parts raised the probability of the class that was predicted, blue ones lowered it.
