"""The order in which the examples are shown: as somebody new would read them."""

from pathlib import Path

_ORDER = (
    "plot_cifar10_workflow",
    "plot_image_folder",
    "plot_resizing_pictures",
    "plot_cross_validation",
    "plot_grid_search",
    "plot_learning_rate",
    "plot_learning_curve",
    "plot_normalizers",
    "plot_features",
    "plot_fine_tuning",
    "plot_misclassified",
    "plot_feature_map",
    "plot_save_and_export",
    "plot_scaling_out",
)


def position(path):
    """Return the place of an example; one that is not listed comes last."""
    name = Path(path).stem
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
