"""
Saving and exporting
====================

Does a classifier predict the same after it was saved, or exported to another runtime?

`save` and `load` keep a classifier for Python. `export` writes a bare model that programs without
Python can run; here it goes to OpenVINO.
"""

# %%
# A classifier
# ------------
# On a part of CIFAR-10 where it is available, otherwise on data that need no download.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

from skcifar import MobileNetV2Classifier, export, load, save
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)
X_train, X_test, y_train, y_test = data.X_train, data.X_test, data.y_train, data.y_test
classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
classifier.fit(X_train, y_train)
probabilities = classifier.predict_proba(X_test)
print(f"{data.name}: accuracy {classifier.score(X_test, y_test):.3f}")

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
