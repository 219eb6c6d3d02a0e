"""MobileNetV2Classifier: its parameters and their documentation."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ._base_classifier import BaseImageClassifier
from ._model.mobilenet_v2 import MobileNetV2
from ._validation.parameter_names import suggesting_names
from ._validation.types import (
    Engine,
    FeatureLayers,
    ImageShape,
    PathLike,
    PixelRange,
    Precision,
    RandomState,
)


class MobileNetV2Classifier(BaseImageClassifier):
    """Image classifier: a head of dense layers on the features of a MobileNetV2.

    The network is frozen, so it runs once over each image, not once per epoch, fold and grid
    point; features are cached and shared with clones (see `feature_cache`). `X` is an array of
    images, or pictures in files, which are read a few at a time: ``fit(frame["path"],
    frame["label"])``, ``predict(["new.jpg"])``.

    The parameters by purpose:

    * start with these: `weights`, `input_size`, `learning_rate`, `epochs`, `dropout`,
      `random_state`, `verbose`;
    * images: `image_shape`, `pixel_range`, `augmentation`, `test_time_augmentation`;
    * network: `weights`, `alpha`, `input_size`, `feature_layers`;
    * head: `hidden_units`, `dropout`, `optimizer`, `learning_rate`, `label_smoothing`,
      `weight_decay`, `batch_size`, `epochs`, `class_weight`;
    * fine-tuning: `fine_tune_epochs`, `fine_tune_blocks`, `fine_tune_learning_rate`;
    * when to stop and how to resume: `early_stopping`, `validation_fraction`,
      `n_iter_no_change`, `warm_start`, `checkpoint_dir`, `callbacks`;
    * machine: `feature_cache`, `engine`, `precision`.

    Read more in the :ref:`User Guide <training>`.

    Parameters
    ----------
    weights : {"imagenet", "cifar10", "cifar10-32px"}, path or None, default="imagenet"
        ``"imagenet"`` is the checkpoint for 224 px and this `alpha`, used at every input size;
        ``"cifar10"``, fine-tuned from it on CIFAR-10, and ``"cifar10-32px"``, a small network for
        32 px, ship with the package; None is a random network, always the same one. A path is
        that of a Keras weights file.
    alpha : float, default=None
        Width multiplier. None is 1.0, or the width of the shipped weights. ImageNet's weights come
        in 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4.
    input_size : "auto" or int, default="auto"
        Side in pixels of what the network sees, at least 32. ``"auto"`` is 32 for
        ``weights="cifar10-32px"``, else 96 for images smaller than 96 px and the nearest of 96,
        128, 160, 192 and 224 for others; at most 160 for files, of which the largest decides (up
        to 64 are examined). Images are resized bilinearly, antialiased when shrinking; the aspect
        ratio is not kept. Files are read at this size, unless `image_shape` or `ImageFiles` state
        another.
    image_shape : tuple of (height, width, channels), default=None
        Shape of the images when `X` is 2-D, with the pixels in this order; None infers square RGB
        images. For files, the size at which they are read.
    pixel_range : "auto" or tuple of (low, high), default="auto"
        Range of the pixels given, mapped to what the network was trained on. ``"auto"`` detects it:
        [0, 255] for integers within it, [0, 65535] for larger unsigned 16-bit integers, [0, 1] for
        bools, the first of [0, 1], [-1, 1] and [0, 255] that holds floats, and for anything
        else, with a warning, (min, max) of `X`. It warns where the guess is uncertain.
    feature_layers : {"last", "blocks", "all", "depthwise"}, default="blocks"
        Which outputs of the network are the features, each map averaged over its pixels:
        ``"blocks"``, all blocks (1,504 numbers at `alpha` 1.0); ``"last"``, the last convolution
        (1,280 numbers); ``"all"``, both; ``"depthwise"``, the outputs of the depthwise convolutions
        (7,136 numbers): the most accurate with thousands of images, at five times the work of
        training on them.
    hidden_units : int or tuple of int, default=(256,)
        Widths of the fully connected layers between the features and the output layer; a number
        is one layer, ``()`` none: a linear classifier.
    dropout : float, default=0.3
        Fraction in [0, 1) of the inputs of each dense layer, including the output layer, that is
        dropped during training.
    optimizer : str, default="adam"
        "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion",
        "muon", "nadam", "rmsprop" or "sgd": Keras' optimizer of that name.
    learning_rate : float, default=1e-3
        Peak step size per mini-batch, followed by a cosine decay to zero over `epochs`.
    label_smoothing : float, default=0.05
        In [0, 1): fraction of the target that is spread over all classes. The loss is categorical
        cross-entropy. Probabilities become less extreme, which suits few images; trained on tens
        of thousands they are too low then, and 0.0 calibrates them better.
    weight_decay : float, default=0.0
        Decoupled weight decay of the kernels, applied by the optimizer.
    batch_size : int or "auto", default="auto"
        Images per training step. "auto" is 64; in a `fit` on fewer than 2,000, 500, 250 or 125
        images it is 32, 16, 8 or 4, so that an epoch does not have too few steps.
    epochs : int, default=20
        Passes over the training images.
    augmentation : {None, "flip", "flip_translate", "flip_crop"} or keras.layers.Layer, default=None
        ``"flip"`` computes the features of each image and of its mirror image, and draws one of
        them in every epoch; ``"flip_translate"`` adds both shifted by up to an eighth of the side;
        ``"flip_crop"`` is ``"flip"``, and fine-tuning sees another random part of each view, about
        four fifths of the side, in every epoch but the last sixth (at least one).
        The network runs two times per image instead of once, with ``"flip_translate"`` four; with
        ``fine_tune_blocks="all"``, images are transformed anew in every epoch of fine-tuning. A
        Keras layer (a copy, given float32 pixels in `pixel_range_`) transforms them anew in every
        epoch of both phases: the network runs over all images in each, and a `UserWarning` says so.
        ``AugMix``, ``CutMix``, ``MixUp`` and layers that cannot be copied are refused.
    fine_tune_epochs : int, default=0
        Epochs of a second phase, after those of the head: the top of the network is unfrozen and
        trained with the head. What stays frozen runs once per image and view.
    fine_tune_blocks : int or "all", default=11
        How many of the 17 inverted residual blocks are unfrozen, counted from the top, together
        with the last convolution where the head sees it. ``"all"`` is the whole network.
    fine_tune_learning_rate : float, default=5e-4
        Step size of that phase, with a warm-up (that of RAdam). The last sixth of its epochs, at
        least one, goes on from the average of the weights at the ends of those before, and decays
        from a third of this to zero.
    early_stopping : bool, default=False
        Whether to hold out a stratified, shuffled part of the training images, to stop when the
        loss on it has not improved for `n_iter_no_change` epochs, and to restore the weights of
        the best epoch of both phases.
    validation_fraction : float, default=0.1
        In (0, 1): fraction that is held out.
    n_iter_no_change : int, default=5
        Epochs without improvement before training stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`, and with those of images that
        `early_stopping` holds out; those of `X_val` stay as they are.
    test_time_augmentation : bool or "flip_translate", default=False
        Whether to average the probabilities of each image and its mirror image;
        ``"flip_translate"`` also averages those of both moved by a sixteenth of the side (at least
        one pixel) in four directions: ten images for one, and ten times the time.
    warm_start : bool, default=False
        Whether `fit` continues from the last fit for `epochs` more. The classes must be the same,
        and so must `weights`, `alpha`, `input_size`, `image_shape`, `pixel_range`,
        `feature_layers` and `hidden_units`.
    feature_cache : "memory", path or None, default="memory"
        Where features are cached: in this process (up to 1 GiB), in a folder shared by processes
        and later runs (up to 10 GiB), or nowhere.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network. ``"auto"`` is OpenVINO on a CPU if installed, else TensorFlow.
    precision : {"float32", "bfloat16"}, default="float32"
        ``"bfloat16"`` runs the network in about half of the time on processors that support it,
        and predicts another class for 2 to 6 % of the images. Training computes only matrix
        products in it, those of the head's hidden layers (if TensorFlow has it here) and, in
        fine-tuning, of 1 x 1 convolutions; everything else stays in float32.
    checkpoint_dir : path, default=None
        Folder where a fit saves its state after each epoch. An interrupted fit resumes after its
        last finished epoch when it is started again with the same parameters, data and
        `random_state` (an int), and gives the same result; then it deletes its checkpoint.
        Checkpoints of abandoned fits are deleted by later ones, after 30 days.
    callbacks : list of keras.callbacks.Callback, default=None
        Each fit runs deep copies. A callback with batch hooks slows training down, one that sets
        the learning rate has no effect, and one that saves the model may save its weights
        only. scikit-learn's own callbacks (1.9) go to `set_callbacks`; they see every epoch.
    random_state : int, RandomState or None, default=None
        Seeds the initial head, the order of the images, dropout, augmentation and the choice of
        held-out images. None draws another seed for each fit from the operating system: NumPy's
        global state is neither used nor changed.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_classes_ : int
    n_features_in_ : int
        ``height * width * channels``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of `X`, where it was a frame of rows.
    n_samples_seen_ : int
        Number of training images, without those held out. `partial_fit` and `warm_start` add to it.
    image_shape_ : tuple of three ints
    resize_ : {"stretch", "crop", "pad"} or None
        How files were brought to `image_shape_`, and new ones will be: "stretch", or the `resize`
        of the `ImageFiles` that were given; None after a fit on an array.
    pixel_range_ : tuple of two floats
        The range that was used.
    engine_ : str
        The engine that ran the network.
    history_ : dict of list of float
        ``loss`` and ``accuracy`` of each epoch of both phases; ``val_loss`` and ``val_accuracy``
        if there was a validation set. Losses are those with `label_smoothing`, which never reach
        zero.
    fine_tune_start_ : int or None
        Index in `history_` of the first epoch of fine-tuning; None if there was none.
    n_iter_ : int
        Number of epochs that ran, of both phases.
    head_ : scikeras.wrappers.KerasClassifier
        The head: it takes features.
    model_ : keras.Model
        The whole model: images with pixels in `pixel_range_` in, probabilities out.
    callbacks_ : list of keras.callbacks.Callback
        The copies that ran in the last fit.

    See Also
    --------
    MobileNetV2Features : The features alone, for other classifiers.

    References
    ----------
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.

    Examples
    --------
    >>> from skcifar import MobileNetV2Classifier
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> classifier = MobileNetV2Classifier(weights=None, input_size=32, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X).shape
    (60, 3)
    """

    _network_type = MobileNetV2

    @suggesting_names
    def __init__(
        self,
        *,
        weights: PathLike | None = "imagenet",
        alpha: float | None = None,
        input_size: int | Literal["auto"] = "auto",
        image_shape: ImageShape | None = None,
        pixel_range: PixelRange = "auto",
        feature_layers: FeatureLayers = "blocks",
        hidden_units: int | Sequence[int] = (256,),
        dropout: float = 0.3,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        label_smoothing: float = 0.05,
        weight_decay: float = 0.0,
        batch_size: int | Literal["auto"] = "auto",
        epochs: int = 20,
        augmentation: Literal["flip", "flip_translate", "flip_crop"] | Any | None = None,
        fine_tune_epochs: int = 0,
        fine_tune_blocks: int | Literal["all"] = 11,
        fine_tune_learning_rate: float = 5e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        test_time_augmentation: bool | Literal["flip_translate"] = False,
        warm_start: bool = False,
        feature_cache: PathLike | None = "memory",
        engine: Engine = "auto",
        precision: Precision = "float32",
        checkpoint_dir: PathLike | None = None,
        callbacks: Sequence[Any] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.weights = weights
        self.alpha = alpha
        self.input_size = input_size
        self.image_shape = image_shape
        self.pixel_range = pixel_range
        self.feature_layers = feature_layers
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.label_smoothing = label_smoothing
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.augmentation = augmentation
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_blocks = fine_tune_blocks
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.test_time_augmentation = test_time_augmentation
        self.warm_start = warm_start
        self.feature_cache = feature_cache
        self.engine = engine
        self.precision = precision
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
