"""One fit: its phases, and what was learned."""

import copy
import warnings
from dataclasses import replace
from functools import partial
from numbers import Integral

import numpy as np

from .._extraction.engines import training_precision
from .._model.head import Head, HeadSettings, Standardization, variance_floor
from .._model.network import STEM
from .._validation.labels import check_class_weight
from .augmentation import stored_views, warn_of_repeated_work
from .checkpoint import open_checkpoint
from .divergence import has_diverged
from .going_on import check_unchanged, extended_history, fixed_parameters, n_epochs
from .inputs import TrainingInputs
from .parameters import layer_widths
from .rows import split_hold_out
from .schedule import Schedule, choose_batch_size, draw_seed, initial_head_rng


class Fit:
    """One call of `fit` or `partial_fit`.

    It reads the parameters of the classifier, and what that has learned so far if the fit goes on
    from there; it never writes to it: `end` returns what was learned.

    Parameters
    ----------
    classifier : BaseImageClassifier
    classes : ndarray of shape (n_classes,)
    training : Rows
    goes_on : bool
        Whether it goes on from what `classifier` has learned.
    extractor : Extractor
    task : FitTask
    progress : Progress
    """

    def __init__(self, classifier, classes, training, *, goes_on, extractor, task, progress):
        self._parameters, self._classes, self._training = classifier, classes, training
        self._task, self._progress = task, progress
        if goes_on:
            check_unchanged(classifier)
            self._frozen, self._head = classifier._frozen, classifier._head
            self._seed, self._history = classifier._seed, classifier.history_
            self._n_samples_seen = classifier.n_samples_seen_
            self._fine_tune_start = classifier.fine_tune_start_
            self._made_with = getattr(classifier, "_made_with", {})
            if self._made_with.get("optimizer", classifier.optimizer) != classifier.optimizer:
                self._head = replace(self._head, optimizer_state=[])
        else:
            self._frozen, self._head = classifier._frozen_network(), None
            self._seed, self._history = draw_seed(classifier.random_state), {}
            self._n_samples_seen, self._fine_tune_start = 0, None
            self._made_with = fixed_parameters(classifier)
        self._goes_on = goes_on
        self._extractor = extractor
        self._inputs = TrainingInputs(extractor, classifier.augmentation, self._seed, progress)
        self._callbacks = copy.deepcopy(list(classifier.callbacks or ()))
        self._validation = self._best = self._checkpoint = None

    def watch(self, validation):
        """Weigh the classes; watch the loss on `validation`, or on a part of the training rows."""
        from .._keras.callbacks import BestWeights

        self._weigh()
        parameters = self._parameters
        self._validation = validation
        if validation is None and parameters.early_stopping:
            labels = self._training.labels
            parts = split_hold_out(labels, parameters.validation_fraction, self._seed)
            self._training, self._validation = map(self._training.take, parts)
        if parameters.early_stopping:
            self._best = BestWeights(parameters.n_iter_no_change)

    def train_head(self):
        """Train the head on the features of the frozen network."""
        parameters = self._parameters
        n_images, n_epochs = len(self._training.labels), parameters.epochs
        n_in_all = n_epochs + parameters.fine_tune_epochs
        warn_of_repeated_work(parameters.augmentation, n_images, n_in_all)
        self._task.begin()
        self._checkpoint = self._open_checkpoint()
        schedule = self._schedule(parameters.learning_rate, n_epochs)
        self._train_head(schedule, first_unfrozen=self._first_unfrozen)

    def pass_once(self):
        """Train the head for one pass over the rows, at constant learning rate."""
        self._weigh()
        self._task.begin()
        # How many images there are in all is not known here, and taken for enough.
        batch_size = choose_batch_size(self._parameters.batch_size, np.inf)
        options = {"batch_size": batch_size, "decay": False}
        schedule = self._schedule(self._parameters.learning_rate, 1, **options)
        self._train_head(schedule, floor=variance_floor(len(self._training.labels)))

    def fine_tune(self):
        """Unfreeze the top of the network and train it with the head, if that is wanted."""
        first_unfrozen = self._first_unfrozen
        if first_unfrozen is None:
            return
        from .._keras import callbacks, fine_tuning

        callbacks.keep_logs(self._callbacks)
        self._fine_tune_start = n_epochs(self._history)
        training = self._training
        cropped = self._inputs.cropped_network(self._frozen, first_unfrozen)
        schedule = self._fine_tuning_schedule(first_unfrozen)
        maps_by_epoch = self._inputs.maps_by_epoch(
            self._frozen, first_unfrozen, training.images, schedule
        )
        if cropped is not None and self._best is not None:
            self._best.patient_until = schedule.finish
        phase = self._phase(
            "fine_tuning",
            schedule,
            partial(self._inputs.held_out_maps, self._frozen, first_unfrozen),
            callbacks.BatchProgress(self._progress, schedule.first_epoch),
            partial(self._fitted_so_far, first_unfrozen=first_unfrozen),
        )
        n_batches = schedule.n_batches(len(training.labels))
        self._progress.phase("fine-tuning", schedule.n_epochs * n_batches)
        self._frozen, self._head, history = fine_tuning.fine_tune(
            self._frozen,
            self._head,
            self._head_settings(),
            first_unfrozen,
            maps_by_epoch,
            phase,
            self._extractor.precision,
            cropped=cropped,
        )
        self._history = extended_history(self._history, history)
        tuned = [*self._frozen.weights, *self._head.weights]
        self._check_convergence(tuned, "fine_tune_learning_rate")

    def end(self):
        """Tell that the fit is over, and return what was learned: attributes of the classifier."""
        self._task.end(self._learned)
        if self._checkpoint is not None:
            self._checkpoint.remove()
        return self._learned()

    def trained_elsewhere(self, head, n_samples):
        """Return what is learned by taking over a `head` that was trained on so many images."""
        self._head, self._n_samples_seen = head, n_samples
        self._history = {"loss": [], "accuracy": []}
        return self._learned()

    def _weigh(self):
        """Multiply the weights of the classes in."""
        rows, class_weight = self._training, self._parameters.class_weight
        weights = check_class_weight(class_weight, self._classes, rows.labels, rows.weights)
        self._training = rows._replace(weights=weights).without_zero_weights()

    def _open_checkpoint(self):
        """Return where this fit leaves its state, or None."""
        parameters = self._parameters
        if parameters.checkpoint_dir is None:
            return None
        if not (self._goes_on or isinstance(parameters.random_state, Integral)):
            warnings.warn(
                f"checkpoint_dir is not used with random_state={parameters.random_state}: the same "
                "fit, started again, would draw another seed, and could not resume. "
                "Pass an int as random_state.",
                UserWarning,
                stacklevel=5,
            )
            return None
        start = self._head.weights if self._head else []
        return open_checkpoint(
            parameters.checkpoint_dir,
            parameters.get_params(),
            self._seed,
            np.frombuffer(self._frozen.fingerprint, np.uint8),
            *(array.ravel() for array in start),
            *self._training,
            *(self._validation or ()),
        )

    def _schedule(self, learning_rate, n_epochs, **options):
        options.setdefault(
            "n_views", len(stored_views(self._frozen, self._parameters.augmentation))
        )
        n_images = len(self._training.labels)
        options.setdefault("batch_size", choose_batch_size(self._parameters.batch_size, n_images))
        return Schedule(
            seed=self._seed,
            learning_rate=learning_rate,
            first_epoch=self._head.n_epochs if self._head else 0,
            n_epochs=n_epochs,
            **options,
        )

    def _fine_tuning_schedule(self, first_unfrozen):
        options = {"rectified": True, "averaged": True}
        if first_unfrozen == STEM:  # images are changed as they are read, and have no views
            options["n_views"] = 1
        parameters = self._parameters
        rate, n_epochs = parameters.fine_tune_learning_rate, parameters.fine_tune_epochs
        return self._schedule(rate, n_epochs, **options)

    @property
    def _first_unfrozen(self):
        """Lowest unit that fine-tuning trains; None without fine-tuning."""
        if not self._parameters.fine_tune_epochs:
            return None
        return self._frozen.network.first_unfrozen(self._parameters.fine_tune_blocks)

    def _train_head(self, schedule, floor=0.0, first_unfrozen=None):
        """Extract features, and train the head on them; `floor` is that of their variance."""
        from .._keras import callbacks, head_training

        self._n_samples_seen += len(self._training.labels)
        images, features = self._training.images, None
        drawn = self._inputs.drawn_features(self._frozen, images)
        if drawn is None or self._head is None:  # of drawn images, a first head alone needs more
            features = self._inputs.features(self._frozen, images, first_unfrozen)
        if self._head is None:
            self._head = self._initial_head(features, floor)
        standardize = self._head.standardization.apply_in_place
        if features is not None:
            standardize(features)
        phase = self._phase(
            "head",
            schedule,
            lambda images: standardize(self._inputs.held_out_features(self._frozen, images)),
            callbacks.EpochProgress(self._progress, schedule.first_epoch),
            self._fitted_so_far,
        )
        self._progress.phase("head", schedule.n_epochs)
        self._head, history = head_training.train_head(
            self._head,
            self._head_settings(),
            features,
            phase,
            features_by_epoch=drawn and (lambda epoch: standardize(drawn(epoch))),
        )
        self._history = extended_history(self._history, history)
        self._check_convergence(self._head.weights, "learning_rate")

    def _initial_head(self, features, floor):
        _, n_views, n_features = features.shape
        weights = np.repeat(self._training.weights, n_views)
        widths = [layer.width for layer in self._frozen.features]
        standardization = Standardization.of(
            features.reshape(-1, n_features), weights, floor, widths
        )
        hidden_units = layer_widths(self._parameters.hidden_units)
        rng = initial_head_rng(self._seed)
        return Head.initial(standardization, hidden_units, len(self._classes), rng)

    def _head_settings(self):
        return HeadSettings(
            n_features=len(self._head.standardization.mean),
            hidden_units=self._head.hidden_units,
            n_classes=len(self._classes),
            dropout=self._parameters.dropout,
            optimizer=self._parameters.optimizer,
            label_smoothing=self._parameters.label_smoothing,
            weight_decay=self._parameters.weight_decay,
            precision=training_precision(self._extractor.precision),
        )

    def _phase(self, name, schedule, held_out, progress_callback, fitted):
        """Return the `Phase` called `name`.

        `held_out` turns validation images into inputs, `fitted` the model in training into what
        `_fitted_so_far` returns.
        """
        from .._keras.callbacks import AverageWeights, EpochTasks, keep_logs
        from .._keras.planned_model import Phase

        validation, checkpoint = self._validation, self._checkpoint
        tasks = EpochTasks(self._task, fitted)
        averages = [AverageWeights(schedule)] if schedule.averaged else []
        if checkpoint and checkpoint.exists:
            keep_logs(self._callbacks)
        return Phase(
            self._training.labels,
            self._training.weights,
            schedule,
            validation=validation
            and (held_out(validation.images), validation.labels, validation.weights),
            best=self._best,
            callbacks=(progress_callback, *averages, tasks, *self._callbacks, tasks.stop),
            checkpoint=checkpoint
            and checkpoint.phase(name, self._best, [*averages, *self._callbacks]),
        )

    def _fitted_so_far(self, model, first_unfrozen=None):
        """Return the attributes of an estimator that is fitted as far as `model` is trained."""
        from .._keras.fine_tuning import tuned_network

        history = extended_history(self._history, model.history.history)
        head = replace(self._head, weights=model.head.get_weights())
        fitted = {**self._learned(history), "_head": head}
        if first_unfrozen is None:
            return fitted
        network = tuned_network(self._frozen, first_unfrozen, model)
        return {**fitted, "_frozen": network, "feature_cache": None}  # of one epoch: not kept

    def _check_convergence(self, trained, parameter):
        """Raise if arrays that were `trained` are not finite; `parameter` is their step size."""
        losses, value = self._history["loss"], getattr(self._parameters, parameter)
        if has_diverged(losses, trained, parameter, value):
            self._head = replace(self._head, optimizer_state=[])  # is not finite

    def _learned(self, history=None):
        history = self._history if history is None else history
        return {
            "classes_": self._classes,
            "n_classes_": len(self._classes),
            "n_samples_seen_": self._n_samples_seen,
            "engine_": self._extractor.engine,
            "history_": history,
            "n_iter_": n_epochs(history),
            "fine_tune_start_": self._fine_tune_start,
            "callbacks_": self._callbacks,
            "_frozen": self._frozen,
            "_head": self._head,
            "_seed": self._seed,
            "_made_with": {**self._made_with, "optimizer": self._parameters.optimizer},
            "_models": {},  # Keras objects of the fitted state, built when they are asked for
        }
