"""The order in which the examples are shown: as somebody new would read them."""

from pathlib import Path

_SECTIONS = ("examples", "understand", "further", "works_with")
_EXAMPLES = (
    "plot_cifar10_workflow",
    "plot_image_folder",
    "plot_cross_validation",
    "plot_grid_search",
    "plot_features",
    "plot_resizing_pictures",
    "plot_misclassified",
    "plot_feature_map",
    "plot_learning_curve",
    "plot_learning_rate",
    "plot_normalizers",
    "plot_calibration",
    "plot_novelty",
    "plot_fine_tuning",
    "plot_save_and_export",
    "plot_scaling_out",
    "plot_mislabelled",
    "plot_prediction_sets",
    "plot_optuna",
    "plot_skore",
    "plot_shap",
    "plot_pictures_and_numbers",
)


def section(path):
    """Return the place of a folder of examples."""
    return _SECTIONS.index(Path(path).name)


def position(path):
    """Return the place of an example; one that is not listed comes last."""
    name = Path(path).stem
    return (_EXAMPLES.index(name) if name in _EXAMPLES else len(_EXAMPLES), name)
