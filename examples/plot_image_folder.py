"""
Your own images from a folder
=============================

How do I get from a folder of pictures to a classifier with good parameters?

The pictures of each class lie in a folder of their own. `load_image_folder` reads them into arrays;
from there on everything is scikit-learn: a split, a grid search, a score, predictions.
"""

# %%
# A folder of pictures
# --------------------
# So that this example runs everywhere, it writes some images into a temporary folder as PNG files.
# With pictures of your own, set ``folder`` to where they lie and leave this out.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.model_selection import GridSearchCV, train_test_split

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data, load_image_folder
from skcifar.plotting import PredictionsDisplay

temporary = TemporaryDirectory()
folder = Path(temporary.name) / "pictures"
example = fetch_example_data(n_train=600)
print(example.DESCR)
for number, (image, label) in enumerate(zip(example.X_train, example.y_train, strict=True)):
    path = folder / example.target_names[label] / f"{number:04d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)

for path in sorted(folder.glob("*/*.png"))[:3]:
    print(path.relative_to(folder))

# %%
# Load it
# -------
# Every picture is brought to the same size. For photographs take 96 to 224 pixels: by default the
# network sees images at the nearest of 96, 128, 160, 192 and 224. It takes longer the larger they
# are.

data = load_image_folder(folder, image_size=96)
print(f"{len(data.images)} images of shape {data.images.shape[1:]}")
print(f"Classes: {', '.join(data.target_names)}")

# %%
# Training and test set
# ---------------------
# Labels may be strings; then predictions are strings, too.

labels = data.target_names[data.target]
train, test = train_test_split(
    np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=0
)
X_train, X_test = data.images[train], data.images[test]
y_train, y_test = labels[train], labels[test]

# %%
# Grid search
# -----------
# The network runs once over each image; the search trains 19 heads on the cached features.

search = GridSearchCV(
    MobileNetV2Classifier(weights=example.weights, epochs=10, random_state=0),
    {"learning_rate": [1e-4, 1e-3, 1e-2], "dropout": [0.0, 0.3]},
    cv=3,
)
search.fit(X_train, y_train)
print(f"Best: {search.best_params_}")
print(f"Accuracy on the pictures held back: {search.score(X_test, y_test):.3f}")

# %%
# Predictions
# -----------

PredictionsDisplay.from_estimator(search, X_test, y_test, order="least_sure", n_images=10)
plt.show()

# %%
# Misclassified files
# -------------------

y_pred = search.predict(X_test)
for number in np.flatnonzero(y_pred != y_test):
    path = Path(data.filenames[test[number]]).relative_to(folder)
    print(f"{path}: classified as {y_pred[number]}")

# %%
# Predict a new picture
# ---------------------
# Estimators take files as well: pass a list of paths. They are read in the same way as the folder.

probability = search.predict_proba([data.filenames[test[0]]])[0]
for column in np.argsort(-probability)[:3]:
    print(f"{search.classes_[column]}: {probability[column]:.3f}")

temporary.cleanup()

# %%
# The search says which parameters did best on the training pictures, the score on the pictures that
# were held back says what to expect of new ones, and the file names say which pictures to look at.
