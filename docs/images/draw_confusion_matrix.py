"""Draw confusion_matrix.png, the picture of the README: python docs/images/draw_confusion_matrix.py

Fits the defaults to CIFAR-10's training images (a minute on two cores) and draws what they make of
the test images. Run it again when the defaults change.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_cifar10

DOTS_PER_INCH = 106


def main():
    test = fetch_cifar10(subset="test")
    classifier = MobileNetV2Classifier(random_state=0, verbose=1)
    classifier.fit(*fetch_cifar10(return_X_y=True))
    predicted = classifier.predict(test.images)
    figure, ax = plt.subplots(figsize=(8, 8), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        test.target,
        predicted,
        display_labels=test.target_names,
        xticks_rotation=45,
        colorbar=False,
        ax=ax,
    )
    accuracy = (predicted == test.target).mean()
    ax.set_title(f"CIFAR-10, frozen network: test accuracy {accuracy:.3f}")
    path = Path(__file__).with_name("confusion_matrix.png")
    figure.savefig(path, dpi=DOTS_PER_INCH)
    print(f"{path.name}: accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
