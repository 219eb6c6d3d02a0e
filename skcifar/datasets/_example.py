"""The images and the weights that examples run on, wherever they run."""

from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._weights.imagenet import imagenet_weights_path
from ._cifar10 import fetch_cifar10
from ._photo_patches import load_photo_patches

_TEST_SHARE = 0.25


def fetch_example_data(*, n_train: int | None = None, n_test: int | None = None) -> Bunch:
    """Load CIFAR-10 and choose pretrained weights, or the best substitutes on this machine.

    CIFAR-10 and the ImageNet weights are used if they are on this machine or can be downloaded.
    Otherwise patches of scikit-learn's sample photographs take the place of CIFAR-10, and the
    weights that ship with skcifar take the place of the ImageNet weights.

    Parameters
    ----------
    n_train, n_test : int, default=None
        Number of images to train on and to test with, drawn class by class, the same ones each
        time; fewer if there are not enough. `None` is all of them.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        X_train, X_test : ndarray of shape (n_samples, side, side, 3), uint8
            The images; side is 32 for CIFAR-10 and 40 for the patches.
        y_train, y_test : ndarray of shape (n_samples,)
            Their classes, 0 to 9.
        target_names : ndarray of shape (10,)
            The names of the classes.
        weights : {"imagenet", "cifar10"}
            What to pass to the estimators.
        name : str
            ``"CIFAR-10"`` or ``"photo patches"``.
        DESCR : str
            One line to print: the data and weights in use, and what was not available.

    Raises
    ------
    ValueError
        If fewer images are asked for than there are classes, or nearly all, so that fewer than
        that are left.

    Notes
    -----
    ``weights="cifar10"`` were trained on CIFAR-10's training images. With these weights all images
    come from CIFAR-10's test set, which they have not seen.

    Examples
    --------
    >>> from skcifar.datasets import fetch_example_data
    >>> data = fetch_example_data(n_train=1000, n_test=500)  # doctest: +SKIP
    >>> print(data.DESCR)  # doctest: +SKIP
    CIFAR-10: 1,000 images to train on, 500 to test with. Weights: imagenet.
    """
    weights = _weights()
    data = _splits(weights)
    X_train, y_train = _draw(data.X_train, data.y_train, n_train)
    X_test, y_test = _draw(data.X_test, data.y_test, n_test)
    return Bunch(
        X_train=X_train,
        X_test=X_test,
        y_train=y_train,
        y_test=y_test,
        target_names=data.target_names,
        weights=weights,
        name=data.name,
        DESCR=_describe(data.name, len(X_train), len(X_test), weights),
    )


def _describe(name, n_train, n_test, weights):
    absent = ["CIFAR-10"] if name != "CIFAR-10" else []
    absent += ["ImageNet's weights"] if weights != "imagenet" else []
    taken = (
        f"{name[0].upper()}{name[1:]}: {n_train:,} images to train on, {n_test:,} to test with. "
        f"Weights: {weights}."
    )
    return f"{taken} Not available here: {' and '.join(absent)}." if absent else taken


def _weights():
    """Return the weights to start from."""
    try:
        imagenet_weights_path(1.0)
    except OSError:
        return "cifar10"
    return "imagenet"


def _splits(weights):
    """Return training and test images."""
    try:
        return _cifar10_splits(weights)
    except OSError:
        return _given("photo patches", load_photo_patches(), load_photo_patches(subset="test"))


def _cifar10_splits(weights):
    test = fetch_cifar10(subset="test")
    if weights == "cifar10":
        return _split("CIFAR-10", test)
    return _given("CIFAR-10", fetch_cifar10(subset="train"), test)


def _given(name, train, test):
    """Return the split that a data set comes with."""
    return Bunch(
        name=name,
        target_names=train.target_names,
        X_train=train.images,
        y_train=train.target,
        X_test=test.images,
        y_test=test.target,
    )


def _split(name, data):
    X_train, X_test, y_train, y_test = train_test_split(
        data.images, data.target, test_size=_TEST_SHARE, stratify=data.target, random_state=0
    )
    return Bunch(
        name=name,
        target_names=data.target_names,
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
    )


def _draw(X, y, n_images):
    if n_images is None or n_images >= len(X):
        return X, y
    X, _, y, _ = train_test_split(X, y, train_size=n_images, stratify=y, random_state=0)
    return X, y
