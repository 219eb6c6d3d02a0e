"""MobileNetV2Classifier."""

import copy
import os
import warnings
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ._backbone import BACKBONE_CONSTRAINTS, ENGINE_CONSTRAINTS, BackboneMixin
from ._dask import block_by_block
from ._model.head import Head, Standardization, softmax
from ._model.mobilenet_v2 import N_BLOCKS, STEM, first_unfrozen_unit
from ._sklearn_callbacks import CallbackSupportMixin, FitTask, with_callbacks
from ._system.libraries import import_keras
from ._system.progress import progress_bar
from ._training.augmentation import AUGMENTATION_CONSTRAINT, is_drawn_anew, stored_views
from ._training.checkpoint import open_checkpoint
from ._training.inputs import TrainingInputs
from ._training.out_of_memory import advice_when_out_of_memory
from ._training.schedule import Schedule, draw_seed
from ._validation.labels import (
    check_all_classes,
    check_class_weight,
    check_labels,
    check_weights,
    encode_labels,
    has_validation_data,
    naming,
    split_hold_out,
    unchanged_on_error,
    warn_outside_range,
)
from ._validation.parameters import (
    check_parameters,
    instance,
    integer,
    option,
    real,
    satisfying,
    tuple_of,
)


def _is_class_weight(value):
    return isinstance(value, dict) and all(map(real(0).holds, value.values()))


def _one_number_a_class(self, X):
    return (self.n_classes_,), np.float32


def _one_score_a_class(self, X):
    return (() if self.n_classes_ == 2 else (self.n_classes_,)), np.float32


def _one_class(self, X):
    return (), self.classes_.dtype


_OPTIMIZERS = (
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion"),
    *("muon", "nadam", "rmsprop", "sgd"),
)
_CONSTRAINTS = {
    **BACKBONE_CONSTRAINTS,
    "hidden_units": tuple_of(integer(1)),
    "dropout": real(0, 1),
    "optimizer": option(*_OPTIMIZERS),
    "learning_rate": real(0, low_open=True),
    "label_smoothing": real(0, 1),
    "weight_decay": real(0),
    "batch_size": integer(1),
    "epochs": integer(1),
    "augmentation": AUGMENTATION_CONSTRAINT,
    "fine_tune_epochs": integer(0),
    "fine_tune_blocks": option("all") | integer(0, N_BLOCKS),
    "fine_tune_learning_rate": real(0, low_open=True),
    "early_stopping": option(False, True),
    "validation_fraction": real(0, 1, low_open=True),
    "n_iter_no_change": integer(1),
    "class_weight": option(None, "balanced")
    | satisfying("a dict from classes to numbers of at least 0", _is_class_weight),
    "test_time_augmentation": option(False, True),
    "warm_start": option(False, True),
    **ENGINE_CONSTRAINTS,
    "checkpoint_dir": option(None) | instance("a path", str, os.PathLike),
    "callbacks": option(None) | instance("a list of Keras callbacks", list, tuple),
    "random_state": option(None)
    | integer(0, 2**32 - 1)
    | instance("a RandomState", np.random.RandomState),
    "verbose": option(False, True) | integer(0),
}


class MobileNetV2Classifier(ClassifierMixin, CallbackSupportMixin, BackboneMixin, BaseEstimator):
    """Image classifier: a head of dense layers on the features of a MobileNetV2.

    The network is frozen, so it runs once over each image, not once an epoch, a fold and a grid
    point; features are kept and shared with clones (see `feature_cache`).

    Parameters
    ----------
    weights : {"imagenet", "cifar10"}, path or None, default="imagenet"
        ``"imagenet"`` is the checkpoint for 224 px of that `alpha`, at every input size;
        ``"cifar10"`` ships with the package; None is a random network, always the same one;
        else the path of a Keras weights file.
    alpha : float, default=None
        Width multiplier. None is 1.0, or the width of the shipped weights.
    input_size : "auto" or int, default="auto"
        Side in pixels of what the network sees, at least 32. ``"auto"`` is 32 for
        ``weights="cifar10"``, else 96 for images smaller than 96 px and the nearest of 96, 128,
        160, 192 and 224 for others. Images are resized bilinearly, antialiased when shrinking;
        the aspect ratio is not kept.
    image_shape : tuple of (height, width, channels), default=None
        Shape of the images when `X` is 2-D; None infers square RGB images.
    pixel_range : "auto" or tuple of (low, high), default="auto"
        Range of the pixels given, mapped to what the network was trained on. ``"auto"`` takes
        integers within 0 to 255 for [0, 255], unsigned 16-bit integers beyond it for [0, 65535],
        bools for [0, 1], floats for the first of [0, 1], [-1, 1] and [0, 255] that holds them,
        and anything else, with a warning, for (min, max) of `X`.
    hidden_units : tuple of int, default=(256,)
        Widths of the fully connected layers between the features and the output layer.
    dropout : float, default=0.3
        Share in [0, 1) of the inputs of each dense layer, the output layer too, that is dropped
        while training.
    optimizer : str, default="adam"
        Name of a Keras optimizer.
    learning_rate : float, default=1e-3
        Peak step size per mini-batch, followed by a cosine decay to zero over `epochs`.
    label_smoothing : float, default=0.0
        In [0, 1): share of the target that is spread over all classes. The loss is categorical
        cross-entropy.
    weight_decay : float, default=0.0
        The optimizer's decoupled decay of the kernels.
    batch_size : int, default=64
        Images a training step.
    epochs : int, default=20
        Passes over the training images.
    augmentation : {None, "flip", "flip_translate"} or keras.layers.Layer, default=None
        ``"flip"`` computes the features of each image and of its mirror image, and draws one of
        them in every epoch; ``"flip_translate"`` adds both shifted by up to an eighth of the side.
        The network runs two or four times an image instead of once; with
        ``fine_tune_blocks="all"``, images are changed anew in every epoch of fine-tuning. A Keras
        layer (a copy, given float32 pixels in `pixel_range_`) changes them anew in every epoch of
        both phases: the network runs over all images in each, and a `UserWarning` says so.
    fine_tune_epochs : int, default=0
        Epochs of a second phase, after those of the head: the top of the network is unfrozen and
        trained with the head. What stays frozen runs once an image and view.
    fine_tune_blocks : int or "all", default=4
        How many of the 17 inverted residual blocks are unfrozen, counted from the top, together
        with the last convolution. ``"all"`` is the whole network.
    fine_tune_learning_rate : float, default=1e-4
        Peak step size of that phase, with a warm-up (that of RAdam) and a cosine decay to zero.
    early_stopping : bool, default=False
        Whether to hold out a stratified, shuffled part of the training images, to stop when the
        loss on it has not improved for `n_iter_no_change` epochs, and to restore the weights of
        the best epoch of both phases.
    validation_fraction : float, default=0.1
        In (0, 1): share that is held out.
    n_iter_no_change : int, default=5
        Epochs without improvement before training stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`.
    test_time_augmentation : bool, default=False
        Whether to average the probabilities of each image and its mirror image.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit for `epochs` more. The classes must be the same.
    feature_cache : "memory", path or None, default="memory"
        Where features are kept: in this process (up to 1 GiB), in a folder shared by processes
        and later runs (up to 10 GiB), or nowhere.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network. ``"auto"`` is OpenVINO on a CPU if it is installed, else TensorFlow.
    precision : {"float32", "bfloat16"}, default="float32"
        ``"bfloat16"`` is about half the time where the processor has it.
    checkpoint_dir : path, default=None
        Folder where a fit leaves its state after each epoch. A fit that was interrupted goes on
        from its last finished epoch when it is started again with the same parameters, data and
        `random_state` (an int), and ends as if it had not been; then it removes what it left.
    callbacks : list of keras.callbacks.Callback, default=None
        A deep copy runs in each fit. One that listens to batches makes training slower, one that
        sets the learning rate has no effect, and one that saves the model may save its weights
        only. Callbacks of scikit-learn (1.9) go to `set_callbacks`; they hear of every epoch.
    random_state : int, RandomState or None, default=None
        Decides the initial head, the order of the images and the dropout. None is another seed in
        each fit, from the operating system: NumPy's global state is neither used nor changed.
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
        Images that were trained on, those held out not counted. `partial_fit` and `warm_start` add
        theirs.
    image_shape_ : tuple of three ints
    pixel_range_ : tuple of two floats
        What `pixel_range` stood for.
    engine_ : str
        What ran the network.
    history_ : dict of list of float
        ``loss`` and ``accuracy`` of each epoch of both phases; ``val_loss`` and ``val_accuracy``
        where there was a validation set.
    fine_tune_start_ : int or None
        Index in `history_` of the first epoch of fine-tuning; None if there was none.
    n_iter_ : int
        Epochs that ran, of both phases.
    head_ : scikeras.wrappers.KerasClassifier
        The head: features in.
    model_ : keras.Model
        The whole: images with pixels in `pixel_range_` in, probabilities out.
    callbacks_ : list of keras.callbacks.Callback
        The copies that ran.

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

    def __init__(
        self,
        *,
        weights="imagenet",
        alpha=None,
        input_size="auto",
        image_shape=None,
        pixel_range="auto",
        hidden_units=(256,),
        dropout=0.3,
        optimizer="adam",
        learning_rate=1e-3,
        label_smoothing=0.0,
        weight_decay=0.0,
        batch_size=64,
        epochs=20,
        augmentation=None,
        fine_tune_epochs=0,
        fine_tune_blocks=4,
        fine_tune_learning_rate=1e-4,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight=None,
        test_time_augmentation=False,
        warm_start=False,
        feature_cache="memory",
        engine="auto",
        precision="float32",
        checkpoint_dir=None,
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.weights = weights
        self.alpha = alpha
        self.input_size = input_size
        self.image_shape = image_shape
        self.pixel_range = pixel_range
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

    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the head on the features of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
            Images with 1 or 3 channels, or 2-D rows of their pixels.
        y : array-like of shape (n_samples,)
            Labels: ints, strings or bools.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images; those of weight 0 are left out.
        X_val, y_val : array-like, default=None
            Validation images and labels, instead of a part of `X`.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None

        Returns
        -------
        self : MobileNetV2Classifier

        Raises
        ------
        ValueError
            If a parameter or the data is not what is described here. The estimator is then as it
            was before the call.
        OSError
            If the weights of the network are not there and cannot be downloaded.
        MemoryError
            If memory runs out. It says what to turn down.
        """
        self._check_setup()
        task = FitTask(self, X, y, sample_weight, n_epochs=self.epochs + self.fine_tune_epochs)
        with (
            unchanged_on_error(self),
            advice_when_out_of_memory(),
            progress_bar(self.verbose) as progress,
        ):
            goes_on = self.warm_start and self.__sklearn_is_fitted__()
            training = self._validate_training(X, y, sample_weight, goes_on=goes_on)
            validation = self._validate_validation(X_val, y_val, sample_weight_val)
            if not goes_on:
                self._start(training.images)
            training, validation = self._hold_out(training, validation)
            training = self._weigh(training)
            self._warn_of_repeated_work(len(training.labels))
            task.begin()
            best = self._watch_validation()
            checkpoint = self._open_checkpoint(training, validation)
            self._train_head(
                training, validation, self._head_schedule(), task, progress, best, checkpoint
            )
            self.fine_tune_start_ = self.n_iter_ if self.fine_tune_epochs else None
            if self.fine_tune_epochs:
                self._fine_tune(training, validation, task, progress, best, checkpoint)
            task.end()
            if checkpoint is not None:
                checkpoint.remove()
        return self

    @with_callbacks
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train the head for one pass over `X`, at constant `learning_rate`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed at the first call only.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : MobileNetV2Classifier
        """
        self._check_setup()
        task = FitTask(self, X, y, sample_weight, n_epochs=1)
        with (
            unchanged_on_error(self),
            advice_when_out_of_memory(),
            progress_bar(self.verbose) as progress,
        ):
            self._learn_classes(classes)
            goes_on = self.__sklearn_is_fitted__()
            training = self._validate_batch(X, y, sample_weight, reset=not goes_on)
            if not goes_on:
                self._start(training.images)
            schedule = self._schedule(self.learning_rate, 1, decay=False)
            task.begin()
            self._train_head(self._weigh(training), None, schedule, task, progress)
            task.end()
        return self

    @block_by_block(_one_number_a_class)
    def predict_proba(self, X):
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
            Of a Dask array, blocks are computed when they are asked for, one after another.

        Returns
        -------
        ndarray or Dask array of shape (n_samples, n_classes), float32
        """
        images = self._validate_new_images(X)
        probabilities = softmax(self._logits(images, self._frozen))
        if self.test_time_augmentation:
            mirrored = softmax(self._logits(images, replace(self._frozen, mirrored=True)))
            probabilities = (probabilities + mirrored) / 2
        return probabilities

    @block_by_block(_one_number_a_class)
    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
        """
        with np.errstate(divide="ignore"):  # -inf is the answer for a probability of 0
            return np.log(self.predict_proba(X))

    @block_by_block(_one_score_a_class)
    def decision_function(self, X):
        """Return the score of each class: what the probabilities are the softmax of.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            For two classes the score of the second less that of the first.
        """
        if self.test_time_augmentation:
            scores = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))
        else:
            scores = self._logits(self._validate_new_images(X), self._frozen)
        return scores[:, 1] - scores[:, 0] if self.n_classes_ == 2 else scores

    @block_by_block(_one_class)
    def predict(self, X):
        """Return the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
            Of a Dask array, blocks are computed when they are asked for, one after another.

        Returns
        -------
        ndarray or Dask array of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @property
    def head_(self):
        return self._built(
            "head_", lambda training: training.fitted_head_estimator(self._head, self.dropout)
        )

    @property
    def model_(self):
        return self._built(
            "model_",
            lambda training: training.build_model(
                self._frozen, self._head, self.test_time_augmentation
            ),
        )

    def _check_setup(self):
        """Raise before any work if a parameter, a library or a processor is not as needed."""
        check_parameters(self, _CONSTRAINTS)
        import_keras()
        self._extractor().begin_call()
        from ._keras.callbacks import check_callbacks

        check_callbacks(self.callbacks)

    def _validate_training(self, X, y, sample_weight, *, goes_on):
        """Return the rows of `fit`, having learned their classes or held them against these."""
        if goes_on:
            return self._validate_batch(X, y, sample_weight, reset=False)
        images, y = self._validate_images(X, y, reset=True)
        weights = check_weights(sample_weight, images)
        classes, labels = check_labels(y)
        self._set_classes(classes)
        return _Rows(images, labels, weights).without_zero_weights()

    def _validate_batch(self, X, y, sample_weight, *, reset, suffix=""):
        images, y = self._validate_images(X, y, reset=reset)
        labels = encode_labels(y, self.classes_, name=f"y{suffix}")
        weights = check_weights(sample_weight, images, name=f"sample_weight{suffix}")
        return _Rows(images, labels, weights).without_zero_weights()

    def _validate_validation(self, X_val, y_val, sample_weight_val):
        if not has_validation_data(X_val, y_val, sample_weight_val):
            return None
        with naming("X_val, y_val"):
            return self._validate_batch(X_val, y_val, sample_weight_val, reset=False, suffix="_val")

    def _set_classes(self, classes):
        self.classes_ = classes
        self.n_classes_ = len(classes)

    def _learn_classes(self, classes):
        """Keep the classes that `partial_fit` was given, or hold them against those known."""
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs all labels at once, which partial_fit does not see. '
                "Pass a dict: {label: weight}."
            )
        known = self.classes_ if self.__sklearn_is_fitted__() else None
        self._set_classes(check_all_classes(classes, known))

    def _start(self, images):
        """Begin anew: choose the network for `images` and draw the seed."""
        self._frozen = self._frozen_network(images)
        self.pixel_range_ = self._frozen.pixel_range
        self._seed = draw_seed(self.random_state)
        self._head = None
        self.n_samples_seen_ = 0
        self.history_ = {}

    def _with_head(self, head, image_shape, classes, n_samples):
        """Return this classifier, fitted with a head that was trained elsewhere."""
        images = self._validate_images(np.zeros((1, *image_shape), np.uint8), reset=True)
        self._set_classes(classes)
        self._start(images)
        self._head, self.callbacks_, self.fine_tune_start_ = head, [], None
        self.n_samples_seen_ = n_samples
        self.engine_ = self._extractor().engine
        self._keep_history({"loss": [], "accuracy": []})
        return self

    def _hold_out(self, training, validation):
        """Return training and validation rows, the latter None if nothing is to be watched."""
        if validation is not None or not self.early_stopping:
            return training, validation
        parts = split_hold_out(training.labels, self.validation_fraction, self._seed)
        return tuple(map(training.take, parts))

    def _weigh(self, rows):
        """Return `rows` with the weights of their classes multiplied in."""
        weights = check_class_weight(self.class_weight, self.classes_, rows.labels, rows.weights)
        return rows._replace(weights=weights).without_zero_weights()

    def _warn_of_repeated_work(self, n_images):
        if is_drawn_anew(self.augmentation):
            warnings.warn(
                f"augmentation={type(self.augmentation).__name__} draws new images in every epoch: "
                f"the network runs over {n_images} images in each of "
                f"{self.epochs + self.fine_tune_epochs} epochs, not once. "
                'The views of "flip" and "flip_translate" are computed once.',
                UserWarning,
                stacklevel=4,
            )

    def _schedule(self, learning_rate, n_epochs, **options):
        options.setdefault("n_views", len(stored_views(self._frozen, self.augmentation)))
        return Schedule(
            seed=self._seed,
            batch_size=self.batch_size,
            learning_rate=learning_rate,
            first_epoch=self._head.n_epochs if self._head else 0,
            n_epochs=n_epochs,
            **options,
        )

    def _head_schedule(self):
        return self._schedule(self.learning_rate, self.epochs)

    def _watch_validation(self):
        """Return the callback that stops both phases early, or None."""
        from ._keras.callbacks import BestWeights

        return BestWeights(self.n_iter_no_change) if self.early_stopping else None

    def _open_checkpoint(self, training, validation):
        """Return where this fit leaves its state, or None."""
        start = self._head.weights if self._head else []
        return open_checkpoint(
            self.checkpoint_dir,
            self.get_params(),
            self._seed,
            np.frombuffer(self._frozen.fingerprint, np.uint8),
            *(array.ravel() for array in start),
            *training,
            *(validation or ()),
        )

    def _train_head(
        self, training, validation, schedule, task, progress, best=None, checkpoint=None
    ):
        """Extract features, train the head on them, and keep both with the history."""
        from ._keras import callbacks as _callbacks
        from ._keras import head_training as _training

        self.n_samples_seen_ += len(training.labels)
        inputs = self._training_inputs(progress)
        features = inputs.features(self._frozen, training.images)
        if self._head is None:
            self._head = self._initial_head(features, training.weights)
        standardize = self._head.standardization.apply
        standardize(features)
        drawn = inputs.drawn_features(self._frozen, training.images)
        validation_data = None
        if validation is not None:
            held_out = inputs.held_out_features(self._frozen, validation.images)
            validation_data = standardize(held_out), validation.labels, validation.weights
        progress.phase("head", schedule.n_epochs)
        self.engine_ = self._extractor().engine
        self.callbacks_ = copy.deepcopy(list(self.callbacks or ()))
        self._head, history = _training.train_head(
            self._head,
            self._head_settings(features.shape[-1]),
            features,
            training.labels,
            training.weights,
            schedule,
            features_by_epoch=drawn and (lambda epoch: standardize(drawn(epoch))),
            validation_data=validation_data,
            best=best,
            callbacks=[
                _callbacks.EpochProgress(progress),
                _callbacks.EpochTasks(task, self._fitted_so_far),
                *self.callbacks_,
            ],
            checkpoint=checkpoint and checkpoint.phase("head", best),
        )
        self._keep_history(history)

    def _fine_tune(self, training, validation, task, progress, best, checkpoint):
        """Unfreeze the top of the network, train it with the head, and keep both."""
        from ._keras import callbacks as _callbacks
        from ._keras import fine_tuning as _fine_tuning

        first_unfrozen = first_unfrozen_unit(self.fine_tune_blocks)
        n_rows, n_epochs = len(training.labels), self.fine_tune_epochs
        schedule = self._schedule(
            self.fine_tune_learning_rate,
            n_epochs,
            rectified=True,
            **({"n_views": 1} if first_unfrozen == STEM else {}),
        )
        inputs = self._training_inputs(progress)
        maps_by_epoch = inputs.maps_by_epoch(self._frozen, first_unfrozen, training.images)
        validation_data = validation and (
            inputs.held_out_maps(self._frozen, first_unfrozen, validation.images),
            validation.labels,
            validation.weights,
        )
        progress.phase("fine-tuning", n_epochs * schedule.n_batches(n_rows))
        self._frozen, self._head, history = _fine_tuning.fine_tune(
            self._frozen,
            self._head,
            self._head_settings(self._frozen.network.n_features),
            first_unfrozen,
            maps_by_epoch,
            training.labels,
            training.weights,
            schedule,
            validation_data=validation_data,
            best=best,
            callbacks=[
                _callbacks.BatchProgress(progress),
                _callbacks.EpochTasks(
                    task, partial(self._fitted_so_far, first_unfrozen=first_unfrozen)
                ),
                *self.callbacks_,
            ],
            checkpoint=checkpoint and checkpoint.phase("fine_tuning", best),
        )
        self._keep_history(history)

    def _training_inputs(self, progress):
        return TrainingInputs(self._extractor(), self.augmentation, self._seed, progress)

    def _initial_head(self, features, weights):
        n_rows, n_views, n_features = features.shape
        standardization = Standardization.of(
            features.reshape(n_rows * n_views, n_features), np.repeat(weights, n_views)
        )
        return Head.initial(standardization, self.hidden_units, self.n_classes_, self._seed)

    def _head_settings(self, n_features):
        from ._keras.head_training import HeadSettings

        return HeadSettings(
            n_features=n_features,
            hidden_units=self._head.hidden_units,
            n_classes=self.n_classes_,
            dropout=self.dropout,
            optimizer=self.optimizer,
            label_smoothing=self.label_smoothing,
            weight_decay=self.weight_decay,
        )

    def _fitted_so_far(self, model, first_unfrozen=None):
        """Return the attributes of an estimator that is fitted as far as `model` is trained."""
        from ._keras.fine_tuning import tuned_network

        fitted = {"_head": replace(self._head, weights=model.head.get_weights()), "_models": {}}
        if first_unfrozen is None:
            return fitted
        network = tuned_network(self._frozen, first_unfrozen, model)
        return {**fitted, "_frozen": network, "feature_cache": None}  # of one epoch: not kept

    def _keep_history(self, history):
        self.history_ = {
            name: [*self.history_.get(name, []), *values] for name, values in history.items()
        }
        self.n_iter_ = len(self.history_["loss"])
        self._models = {}

    def _validate_new_images(self, X):
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        warn_outside_range(images, self.pixel_range_)
        return images

    def _logits(self, images, frozen):
        logits = np.empty((len(images), self.n_classes_), np.float32)
        for rows, features in self._extractor().iterate(frozen, images):
            logits[rows] = self._head.logits(features)
        return logits

    def _built(self, name, build):
        """Return a Keras object of the fitted state, built when it is first asked for."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.")
        if name not in self._models:
            import_keras()
            from ._keras import head_training as _training

            self._models[name] = build(_training)
        return self._models[name]

    def __dir__(self):
        # scikit-learn asks for the value of each name, here and where a notebook shows them: that
        # would build Keras models that nobody needs, and import TensorFlow after `load`.
        not_built = {"head_", "model_"} - set(vars(self).get("_models", ()))
        return [name for name in {*object.__dir__(self)} - not_built if hasattr(self, name)]

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_models" in state:
            state["_models"] = {}
        return state

    def __sklearn_is_fitted__(self):
        return getattr(self, "_head", None) is not None


class _Rows(NamedTuple):
    """Images with their labels (indices of classes) and weights."""

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def take(self, rows):
        return _Rows(*(column[rows] for column in self))

    def without_zero_weights(self):
        return self if self.weights.all() else self.take(self.weights > 0)
