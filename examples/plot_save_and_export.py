"""
Saving and exporting
====================

Is a classifier the same after it was saved, or exported to another runtime?

`save` and `load` keep a classifier for Python. `export` writes a bare model that programs without
Python can run; here it goes to OpenVINO.
"""

# %%
# A classifier
# ------------
# On a part of CIFAR-10, or the handwritten digits where CIFAR-10 or the weights cannot be had.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skcifar import MobileNetV2Classifier, MobileNetV2Features, export, load, save
from skcifar.datasets import fetch_cifar10, load_digits_rgb

try:
    images, target = fetch_cifar10(return_X_y=True)
    MobileNetV2Features(weights="imagenet").fit(images[:1])
    name, weights = "CIFAR-10", "imagenet"
except OSError as error:
    print(f"Going on with scikit-learn's handwritten digits and a random network. {error}\n")
    images, target = load_digits_rgb(return_X_y=True)
    name, weights = "handwritten digits", None

X_train, X_test, y_train, y_test = train_test_split(
    images, target, train_size=1200, test_size=500, stratify=target, random_state=0
)
classifier = MobileNetV2Classifier(weights=weights, epochs=10, random_state=0)
classifier.fit(X_train, y_train)
probabilities = classifier.predict_proba(X_test)
print(f"{name}: accuracy {classifier.score(X_test, y_test):.3f}")

# %%
# Save and load
# -------------

temporary = TemporaryDirectory()
folder = Path(temporary.name)
save(classifier, folder / "classifier.skcifar")
loaded = load(folder / "classifier.skcifar")
after_loading = loaded.predict_proba(X_test)

# %%
# Export, and run elsewhere
# -------------------------
# The exported model takes pixels as `fit` saw them, as ``float32``. Resizing and scaling are in it.

export(classifier, folder / "classifier.xml", format="openvino")

try:
    import openvino
except ImportError:
    print("OpenVINO is not installed, so the exported model is not run here.")
    elsewhere = after_loading
else:
    model = openvino.Core().compile_model(
        folder / "classifier.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    batches = np.array_split(X_test.astype(np.float32), 10)
    elsewhere = np.concatenate([model(batch)[0] for batch in batches])

for path in sorted(folder.iterdir()):
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# The probabilities before and after
# ----------------------------------

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, after, title in (
    (axes[0], after_loading, "loaded"),
    (axes[1], elsewhere, "exported to OpenVINO"),
):
    ax.plot([0, 1], [0, 1], color="0.8")
    ax.plot(probabilities.ravel(), after.ravel(), ".", markersize=3)
    ax.set(title=title, xlabel="probability before", aspect="equal")
axes[0].set_ylabel("probability after")
plt.show()

# %%

print(f"Largest difference after loading: {np.abs(after_loading - probabilities).max():.1e}")
print(f"Largest difference in OpenVINO:   {np.abs(elsewhere - probabilities).max():.1e}")
temporary.cleanup()

# %%
# All points lie on the diagonal: a loaded classifier predicts exactly what it did before, and the
# exported model differs by rounding only. Next to the exported model, keep ``classifier.classes_``:
# it says which column is which class.
