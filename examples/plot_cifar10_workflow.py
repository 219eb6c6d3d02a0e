"""
The whole workflow: from images to the classes that get confused
=================================================================

How good is a frozen MobileNetV2 on CIFAR-10, and where does it err?

Photographs of 32 x 32 pixels are scaled, shown to a MobileNetV2 that was trained on ImageNet, and
classified by a head that is trained on its features for 20 epochs. The network runs once over
each image, so the fit takes about a minute on two cores.

Without CIFAR-10 or the ImageNet weights, data and weights that need no download take their place.
"""

# %%
# Data
# ----
# CIFAR-10 and the ImageNet weights where they are available, otherwise what needs no download.

# sphinx_gallery_thumbnail_number = 5
import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier
from skcifar.datasets import fetch_example_data
from skcifar.metrics import most_confused
from skcifar.plotting import ConfusedPairsDisplay, PredictionsDisplay, TrainingHistoryDisplay

data = fetch_example_data()
print(data.DESCR)
X_train, X_test, y_train, y_test = data.X_train, data.X_test, data.y_train, data.y_test
class_names = data.target_names

# %%
# Some of the images
# ------------------

figure, axes = plt.subplots(2, 8, figsize=(10, 3), layout="constrained")
for ax, image, label in zip(axes.flat, X_train, y_train, strict=False):
    ax.imshow(image)
    ax.set_title(class_names[label], fontsize="small")
    ax.set_axis_off()
figure.suptitle(f"{data.name}: training images")

# %%
# Normalise and fit
# -----------------

classifier = make_pipeline(
    ImageNormalizer(),
    MobileNetV2Classifier(
        weights=data.weights,
        epochs=20,
        random_state=0,
        verbose=1,
    ),
)
classifier.fit(X_train, y_train)
train_accuracy = classifier.score(X_train, y_train)
test_accuracy = classifier.score(X_test, y_test)
print(f"Training accuracy {train_accuracy:.3f}, test accuracy {test_accuracy:.3f}")

# %%
# Accuracy and loss by epoch
# --------------------------

TrainingHistoryDisplay.from_estimator(classifier)

# %%
# Confusion matrix
# ----------------

y_pred = classifier.predict(X_test)
figure, ax = plt.subplots(figsize=(8, 7), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test, y_pred, display_labels=class_names, xticks_rotation=45, ax=ax, colorbar=False
)
ax.set_title(f"{data.name}: test accuracy {test_accuracy:.3f}")

# %%
# Sample predictions
# ------------------

PredictionsDisplay.from_predictions(
    X_test[:24],
    y_test[:24],
    y_pred[:24],
    y_proba=classifier.predict_proba(X_test[:24]),
    class_names=class_names,
)

# %%
# The classes that get confused
# -----------------------------

ConfusedPairsDisplay.from_predictions(y_test, y_pred, images=X_test, class_names=class_names)
plt.show()

for true, predicted, count in most_confused(y_test, y_pred)[:5]:
    print(
        f"{class_names[true]} mistaken for {class_names[predicted]}: "
        f"{count} of {(y_test == true).sum()}"
    )

# %%
# The training accuracy ends above the test accuracy: the head overfits a little. On CIFAR-10 cats
# and dogs are confused most; fine-tuning the network tells them apart better.
