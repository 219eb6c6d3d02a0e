"""
The whole workflow: from images to the classes that get confused
=================================================================

How good is a frozen MobileNetV2 on CIFAR-10, and where does it err?

Photographs of 32 x 32 pixels are scaled, shown to a MobileNetV2 that was trained on ImageNet, and
classified by a head that is trained on its features for 20 epochs. The network runs once over
each image, so the fit takes about a minute on two cores.

Where CIFAR-10 or the ImageNet weights cannot be had, scikit-learn's handwritten digits and a
random network take their place.
"""

# %%
# Data
# ----
# `MobileNetV2Features.fit` loads the weights, and so tells whether they can be had.

# sphinx_gallery_thumbnail_number = 5
import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import fetch_cifar10, load_digits_rgb
from skcifar.metrics import most_confused
from skcifar.plotting import ConfusedPairsDisplay, PredictionsDisplay, TrainingHistoryDisplay

try:
    train, test = fetch_cifar10(subset="train"), fetch_cifar10(subset="test")
    MobileNetV2Features(weights="imagenet").fit(train.images[:1])
    name, weights, class_names = "CIFAR-10", "imagenet", train.target_names
    X_train, X_test, y_train, y_test = train.images, test.images, train.target, test.target
except OSError as error:
    print(f"Going on with scikit-learn's handwritten digits and a random network. {error}\n")
    digits = load_digits_rgb()
    name, weights, class_names = "handwritten digits", None, digits.target_names
    X_train, X_test, y_train, y_test = train_test_split(
        digits.images, digits.target, stratify=digits.target, random_state=0
    )
print(f"{name}: {len(X_train)} images to train on, {len(X_test)} to test with")

# %%
# Some of the images
# ------------------

figure, axes = plt.subplots(2, 8, figsize=(10, 3), layout="constrained")
for ax, image, label in zip(axes.flat, X_train, y_train, strict=False):
    ax.imshow(image)
    ax.set_title(class_names[label], fontsize="small")
    ax.set_axis_off()
figure.suptitle(f"{name}: training images")

# %%
# Normalise and fit
# -----------------

classifier = make_pipeline(
    ImageNormalizer(),
    MobileNetV2Classifier(weights=weights, epochs=20, batch_size=64, random_state=0, verbose=1),
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
ax.set_title(f"{name}: test accuracy {test_accuracy:.3f}")

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
        f"{class_names[true]} taken for {class_names[predicted]}: "
        f"{count} of {(y_test == true).sum()}"
    )

# %%
# The training curve lies above the test accuracy: the head learns its training images by heart,
# the features do not tell more. On CIFAR-10 cats and dogs are confused most; the whole network
# has to be trained further to tell these apart.
