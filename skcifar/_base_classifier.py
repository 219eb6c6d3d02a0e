"""BaseImageClassifier: fit, partial_fit and predict over any network."""

import functools
from contextlib import contextmanager
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ._backbone import ENGINE_CONSTRAINTS, BackboneMixin, backbone_constraints
from ._dask import block_by_block, one_class, one_number_a_class, one_score_a_class
from ._extraction.engines import check_training_precision
from ._keras.views import KerasViewsMixin
from ._sklearn_callbacks import CallbackSupportMixin, FitTask, with_callbacks
from ._system.forks import check_not_forked
from ._system.interrupts import ctrl_c_interrupts
from ._system.libraries import check_no_distribution_scope, import_keras
from ._system.progress import progress_bar
from ._system.rounding import underflow_is_zero
from ._training.augmentation import check_augmentation
from ._training.fit import Fit
from ._training.out_of_memory import advice_when_out_of_memory
from ._training.parameters import RUN_CONSTRAINTS, VIEWS_CONSTRAINT, training_constraints
from ._training.rows import Rows
from ._validation.images import naming
from ._validation.labels import (
    check_all_classes,
    check_labels,
    check_weights,
    encode_labels,
    has_validation_data,
)
from ._validation.parameters import check_parameters
from ._validation.pixel_range import warn_outside_range
from ._validation.rollback import unchanged_on_error
from ._validation.types import Array, Images


@functools.cache
def _constraints(network_type):
    """Return those of all parameters, in the order of the constructor."""
    return {
        **backbone_constraints(network_type),
        **training_constraints(network_type),
        **ENGINE_CONSTRAINTS,
        **RUN_CONSTRAINTS,
    }


class BaseImageClassifier(
    ClassifierMixin, CallbackSupportMixin, KerasViewsMixin, BackboneMixin, BaseEstimator
):
    """A head of dense layers on the features of a network.

    A classifier names the type of its network in `_network_type`, and has the parameters that
    `MobileNetV2Classifier` documents.
    """

    @with_callbacks
    def fit(
        self,
        X: Images,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Images | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train the head on the features of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
            Images with 1 or 3 channels, or 2-D rows of their pixels; or pictures in files: a list,
            an array or a column of paths, ``bytes`` or PIL images, or `ImageFiles`.
        y : array-like of shape (n_samples,)
            Labels: ints, strings or bools.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images; those of weight 0 are left out.
        X_val, y_val : array-like, default=None
            Validation images (or files) and labels, as `X` and `y`, instead of a part of these.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Their weights in the validation loss and accuracy.

        Returns
        -------
        self : BaseImageClassifier

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what is described here, or if training diverges. The
            estimator is then as it was before the call, as after any error and Ctrl-C.
        ImportError
            If `engine` is not installed.
        OSError
            If the weights of the network are missing and cannot be downloaded, or if there is no
            room on the disk for what fine-tuning keeps.
        MemoryError
            If memory runs out; the message says what to reduce.
        """
        with self._one_call(X, y, sample_weight) as setup:
            goes_on = self.warm_start and self.__sklearn_is_fitted__()
            classes, training = self._validate_training(X, y, sample_weight, goes_on=goes_on)
            validation = self._validate_validation(classes, X_val, y_val, sample_weight_val)
            fit = Fit(self, classes, training, goes_on=goes_on, **setup)
            fit.watch(validation)
            fit.train_head()
            fit.fine_tune()
            self.__dict__.update(fit.end())
        return self

    @with_callbacks
    def partial_fit(
        self,
        X: Images,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the head for one pass over `X`, at constant `learning_rate`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed at the first call only.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : BaseImageClassifier

        Raises
        ------
        ValueError, TypeError, ImportError, OSError, MemoryError
            As in `fit`; also without `classes` at the first call, or with labels not among them.
        """
        with self._one_call(X, y, sample_weight, passes=1) as setup:
            goes_on = self.__sklearn_is_fitted__()
            classes = self._known_classes(classes)
            training = self._validate_batch(classes, X, y, sample_weight, reset=not goes_on)
            fit = Fit(self, classes, training, goes_on=goes_on, **setup)
            fit.pass_once()
            self.__dict__.update(fit.end())
        return self

    @block_by_block(one_number_a_class)
    @underflow_is_zero()
    def predict_proba(self, X: Images) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
            The blocks of a Dask array are computed when they are needed, one after another.

        Returns
        -------
        ndarray or Dask array of shape (n_samples, n_classes), float32
        """
        return self._answers(X, lambda scores: softmax(scores, axis=2).mean(axis=0))

    @block_by_block(one_number_a_class)
    def predict_log_proba(self, X: Images) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files

        Returns
        -------
        ndarray or Dask array of shape (n_samples, n_classes), float32
        """
        with np.errstate(divide="ignore"):  # -inf is the answer for a probability of 0
            return np.log(self.predict_proba(X))

    @block_by_block(one_score_a_class)
    @underflow_is_zero()
    def decision_function(self, X: Images) -> Array:
        """Return the score of each class; the probabilities are the softmax of the scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files

        Returns
        -------
        ndarray or Dask array of shape (n_samples, n_classes), or (n_samples,) for two classes
            For two classes, the score of the second minus that of the first.
        """
        if self.test_time_augmentation:
            scores = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))
        else:
            scores = self._answers(X, lambda scores: scores[0])
        return scores[:, 1] - scores[:, 0] if self.n_classes_ == 2 else scores

    @block_by_block(one_class)
    def predict(self, X: Images) -> Array:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
            The blocks of a Dask array are computed when they are needed, one after another.

        Returns
        -------
        ndarray or Dask array of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @contextmanager
    def _one_call(self, X, y, sample_weight, passes=None):
        """Check what can be checked before any work; put all back if the block raises.

        Yields what the fit runs with: `extractor`, and `task` and `progress`, which it reports to.
        """
        extractor = self._check_setup()
        if self.fine_tune_epochs and not passes:
            check_training_precision(self.precision)
        n_epochs = passes or self.epochs + self.fine_tune_epochs
        task = FitTask(self, X, y, sample_weight, n_epochs=n_epochs)
        with (
            unchanged_on_error(self),
            underflow_is_zero(),
            advice_when_out_of_memory(),
            ctrl_c_interrupts(),
            progress_bar(self.verbose) as progress,
        ):
            yield {"extractor": extractor, "task": task, "progress": progress}

    def _check_setup(self):
        """Raise before any work if a parameter, a library or a processor is not as needed.

        Returns the extractor that is wanted.
        """
        check_parameters(self, _constraints(self._network_type))
        check_not_forked("TensorFlow")
        import_keras()
        check_no_distribution_scope()
        extractor = self._extractor()
        extractor.may_warn_again()
        from ._keras.callbacks import check_callbacks
        from ._keras.planned_model import check_optimizer

        check_callbacks(self.callbacks)
        check_optimizer(self.optimizer)
        check_augmentation(self.augmentation)
        return extractor

    def _validate_training(self, X, y, sample_weight, *, goes_on):
        """Return the classes and the rows of `fit`."""
        if goes_on:
            rows = self._validate_batch(self.classes_, X, y, sample_weight, reset=False)
            return self.classes_, rows
        images, y = self._validate_images(X, y, reset=True)
        weights = check_weights(sample_weight, images)
        classes, labels = check_labels(y)
        rows = Rows(images, labels, weights).without_zero_weights()
        self._learn_pixel_range(rows.images)
        return classes, rows

    def _validate_batch(self, classes, X, y, sample_weight, *, reset, suffix=""):
        images, y = self._validate_images(X, y, reset=reset)
        labels = encode_labels(y, classes, name=f"y{suffix}")
        weights = check_weights(sample_weight, images, name=f"sample_weight{suffix}")
        rows = Rows(images, labels, weights).without_zero_weights()
        if reset:
            self._learn_pixel_range(rows.images)
        else:
            warn_outside_range(rows.images, self.pixel_range_, name=f"X{suffix}")
        return rows

    def _validate_validation(self, classes, X_val, y_val, sample_weight_val):
        if not has_validation_data(X_val, y_val, sample_weight_val):
            return None
        arguments = classes, X_val, y_val, sample_weight_val
        with naming("X_val, y_val"):
            return self._validate_batch(*arguments, reset=False, suffix="_val")

    def _known_classes(self, classes):
        """Return the classes that `partial_fit` was given, held against those known."""
        if self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" needs all labels at once, which partial_fit does not see. '
                "Pass a dict: {label: weight}."
            )
        known = self.classes_ if self.__sklearn_is_fitted__() else None
        return check_all_classes(classes, known)

    def _with_head(self, head, image_shape, classes, n_samples):
        """Return this classifier, fitted with a head that was trained elsewhere."""
        images = self._validate_images(np.zeros((1, *image_shape), np.uint8), reset=True)
        self._learn_pixel_range(images)
        rows = Rows(images, np.zeros(1, int), np.ones(1))
        setup = {"extractor": self._extractor(), "task": None, "progress": None}
        fit = Fit(self, classes, rows, goes_on=False, **setup)
        self.__dict__.update(fit.trained_elsewhere(head, n_samples))
        return self

    def _validate_new_images(self, X):
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        warn_outside_range(images, self.pixel_range_)
        return images

    def _views(self):
        """Return the networks whose probabilities are averaged."""
        check_parameters(self, VIEWS_CONSTRAINT)  # it may have changed since the fit
        return self._frozen.views(self.test_time_augmentation)

    def _answers(self, X, answer):
        """Return `answer` of the scores (view, image, class), asked for some images at a time."""
        images = self._validate_new_images(X)
        answers = np.empty((len(images), self.n_classes_), np.float32)
        for rows, parts in self._extractor().iterate_views(self._views(), images):
            answers[rows] = answer(np.stack([self._head.logits(features) for features in parts]))
        return answers

    def __sklearn_is_fitted__(self):
        return getattr(self, "_head", None) is not None
