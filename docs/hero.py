"""Draw the picture of the landing page: photographs with the classes predicted for them."""

from pathlib import Path

_N_TRAIN, _ROWS, _COLUMNS = 8000, 3, 4


def draw(app):
    """Write ``_output/hero.png``, with what the examples use as well."""
    import matplotlib.pyplot as plt

    from skcifar import MobileNetV2Classifier
    from skcifar.datasets import fetch_example_data

    data = fetch_example_data(n_train=_N_TRAIN, n_test=500)
    classifier = MobileNetV2Classifier(weights=data.weights, random_state=0)
    y_pred = classifier.fit(data.X_train, data.y_train).predict(data.X_test)
    figure, axes = plt.subplots(_ROWS, _COLUMNS, figsize=(6.4, 5.4), layout="constrained")
    for ax, image, true, predicted in zip(
        axes.flat, data.X_test, data.y_test, y_pred, strict=False
    ):
        right = true == predicted
        ax.imshow(image, interpolation="bicubic")
        ax.set_title(
            f"{data.target_names[predicted]} {'✓' if right else '✗'}",
            fontsize=15,
            color="#00695c" if right else "#b3261e",
            weight="bold",
        )
        ax.axis("off")
    path = Path(app.srcdir, "_output", "hero.png")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def setup(app):
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
