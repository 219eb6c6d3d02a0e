"""Trains the head; the only file that imports scikeras.

Imports TensorFlow, Keras and scikeras at the top: import this module inside functions.
"""

import threading
from collections import OrderedDict, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scikeras.utils.transformers import ClassifierLabelEncoder
from scikeras.wrappers import KerasClassifier

from ._mobilenet_v2 import KerasLayers, build_units


class PlannedModel(keras.Model):
    """A Keras model whose `fit` follows a `Schedule`.

    For a head alone the rows stay resident, and an epoch is one compiled loop: Keras' own loop
    costs two to three times the arithmetic of a head. Keras' callbacks hear of epochs; those
    that listen to batches make it run batch by batch, with the same result. With units of the
    network below the head, rows are gathered batch by batch.

    Parameters
    ----------
    head : keras.Model
        To logits.
    units : keras.Model, default=None
        What comes before the head.
    batch_statistics : bool, default=False
        Whether batch normalisation in `units` uses and updates the statistics of the batch.
    evaluation_batch : int, default=8192
        Rows at a time of the validation set.
    """

    def __init__(self, head, units=None, *, batch_statistics=False, evaluation_batch=8192):
        super().__init__()
        self.head = head
        self.units = units
        self._batch_statistics = batch_statistics
        self._evaluation_batch = evaluation_batch
        self._compiled_epoch = tf.function(self._run_epoch, reduce_retracing=True)
        self._compiled_batch = tf.function(self._run_batch, reduce_retracing=True)
        self._compiled_logits = tf.function(self._run_logits, reduce_retracing=True)

    @property
    def outputs(self):
        """The logits, which scikeras counts."""
        return self.head.outputs

    def call(self, inputs, training=False):
        if self.units is not None:
            inputs = self.units(inputs, training=training and self._batch_statistics)
        return self.head(inputs, training=training)

    def fit(
        self,
        x,
        y,
        *,
        row_weights,
        schedule,
        validation_data=None,
        epochs=1,
        initial_epoch=0,
        callbacks=(),
        **_,
    ):
        """Train for the epochs `initial_epoch` to ``epochs - 1`` and return the history.

        Parameters
        ----------
        x : ndarray of shape (n, n_views, ...), or callable
            The views of each input; or a function from the number of the epoch to what gives the
            inputs of the rows that it is indexed with.
        y : ndarray of shape (n,)
            Indices of classes.
        row_weights : ndarray of shape (n,)
        schedule : Schedule
        validation_data : (x, y, weights), default=None
            `x` of shape (n, ...), without views.
        epochs, initial_epoch : int
        callbacks : list of keras.callbacks.Callback
        **_
            Keras' other options, which scikeras passes on; the schedule decides these.
        """
        callbacks = keras.callbacks.CallbackList(callbacks, model=self, epochs=epochs)
        history = defaultdict(list)
        self.stop_training = False
        labels = np.repeat(np.ravel(y).astype(np.int32), schedule.n_views)
        run_epoch = self._run_batchwise
        if not callable(x):
            x = x.reshape(-1, *x.shape[2:])
        if self.units is None and not _listens_to_batches(callbacks):
            run_epoch = self._run_compiled
            x, labels = tf.constant(x), tf.constant(labels)
        callbacks.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch)
            inputs = x(epoch) if callable(x) else x
            logs = run_epoch(inputs, labels, schedule.plan(epoch, row_weights), callbacks)
            if validation_data is not None:
                logs |= self._validate(*validation_data)
            for name, value in logs.items():
                history[name].append(value)
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        callbacks.on_train_end()
        for callback in callbacks.callbacks:
            callback.set_model(None)  # a user keeps the callback, and others use the model
        return _History(dict(history))

    def _run_compiled(self, x, labels, plan, callbacks):
        self._seed_dropout(plan.dropout_seed)
        arrays = plan.rows, plan.weights, plan.sizes, plan.learning_rates
        totals = self._compiled_epoch(x, labels, *map(tf.constant, arrays)).numpy()
        return _means(totals, plan)

    def _run_batchwise(self, x, labels, plan, callbacks):
        self._seed_dropout(plan.dropout_seed)
        totals = np.zeros(2)
        for batch, rows in enumerate(plan.rows):
            callbacks.on_train_batch_begin(batch)
            inputs = tf.constant(x[rows].astype(np.float32))
            arrays = plan.weights[batch], plan.sizes[batch], plan.learning_rates[batch]
            batch_totals = self._compiled_batch(
                inputs, tf.constant(labels[rows]), *map(tf.constant, arrays)
            ).numpy()
            totals += batch_totals
            logs = dict(zip(("loss", "accuracy"), batch_totals / plan.sizes[batch], strict=True))
            callbacks.on_train_batch_end(batch, logs)
        return _means(totals, plan)

    def _run_epoch(self, x, y, rows, weights, sizes, learning_rates):
        totals = tf.zeros(2)
        for batch in tf.range(tf.shape(rows)[0]):
            inputs, labels = tf.gather(x, rows[batch]), tf.gather(y, rows[batch])
            totals += self._run_batch(
                inputs, labels, weights[batch], sizes[batch], learning_rates[batch]
            )
        return totals

    def _run_batch(self, x, labels, weights, size, learning_rate):
        """Take one step; return the weighted sums of loss and of correct answers."""
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            targets = tf.one_hot(labels, logits.shape[-1])
            losses = weights * self.loss(targets, logits)
            mean_loss = tf.reduce_sum(losses) / size
        gradients = tape.gradient(mean_loss, [v.value for v in self.trainable_variables])
        self.optimizer.learning_rate.assign(learning_rate)
        self.optimizer.apply(gradients, self.trainable_variables)
        return _sums(losses, weights, logits, labels)

    def _run_logits(self, x):
        return self(x, training=False)

    def _validate(self, x, y, weights):
        totals = np.zeros(2)
        for start in range(0, len(y), self._evaluation_batch):
            part = slice(start, start + self._evaluation_batch)
            labels = tf.constant(y[part], tf.int32)
            part_weights = tf.constant(weights[part], tf.float32)
            logits = self._compiled_logits(tf.constant(x[part].astype(np.float32)))
            losses = part_weights * self.loss(tf.one_hot(labels, logits.shape[-1]), logits)
            totals += _sums(losses, part_weights, logits, labels).numpy()
        loss, accuracy = totals / weights.sum()
        return {"val_loss": float(loss), "val_accuracy": float(accuracy)}

    def _seed_dropout(self, seed):
        for number, layer in enumerate(self.head.layers):
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                layer.seed_generator.state.assign([seed, number << 24])


class _History:
    """What `keras.Model.fit` returns, as far as scikeras reads it."""

    def __init__(self, history):
        self.history = history


def _sums(losses, weights, logits, labels):
    correct = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
    return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(weights * correct)])


def _means(totals, plan):
    loss, accuracy = totals / plan.sizes.sum()
    return {"loss": float(loss), "accuracy": float(accuracy)}


_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def _listens_to_batches(callbacks):
    """Whether a callback overrides a hook that Keras calls for each batch."""
    base = keras.callbacks.Callback
    return any(
        getattr(type(callback), hook) is not getattr(base, hook)
        for callback in callbacks.callbacks
        for hook in _BATCH_HOOKS
    )


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with each update as one operation: same numbers, a third less time."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def make_optimizer(name, weight_decay):
    """Return the Keras optimizer `name`, with decoupled weight decay of the kernels."""
    optimizer = FusedAdam() if name == "adam" else keras.optimizers.get(name)
    optimizer.weight_decay = weight_decay or None
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


# --- Heads ---------------------------------------------------------------------------------


class HeadSettings(NamedTuple):
    """All that decides the compiled head: fits with equal settings share it."""

    n_features: int
    hidden_units: tuple
    n_classes: int
    dropout: float
    optimizer: str
    label_smoothing: float
    weight_decay: float


def train_head(
    head,
    settings,
    features,
    labels,
    weights,
    schedule,
    *,
    validation_data=None,
    best=None,
    callbacks=(),
):
    """Train `head` on standardised features for the epochs of `schedule`.

    Parameters
    ----------
    head : Head
        Where training starts; left as it is.
    settings : HeadSettings
    features : ndarray of shape (n, n_views, n_features), float32
    labels : ndarray of shape (n,)
        Indices of classes.
    weights : ndarray of shape (n,)
    schedule : Schedule
    validation_data : (features, labels, weights), default=None
    best : BestWeights, default=None
        Whose weights are taken in the end.
    callbacks : sequence of keras.callbacks.Callback

    Returns
    -------
    head : Head
    history : dict of list of float
    """
    with _borrowed_model(settings) as borrowed:
        borrowed.reset(head)
        callbacks = [*callbacks] if best is None else [*callbacks, best]
        estimator = make_head_estimator(borrowed.model, settings.n_classes, callbacks)
        estimator.fit(
            features,
            labels,
            epochs=schedule.n_epochs,
            initial_epoch=schedule.first_epoch,
            row_weights=weights,
            schedule=schedule,
            validation_data=validation_data,
        )
        history = dict(estimator.history_)
        n_epochs = schedule.first_epoch + len(history["loss"])
        weights, optimizer_state = borrowed.arrays()
        if best is not None and best.weights is not None:
            weights = best.weights[: len(weights)]
        return head.trained(weights, optimizer_state, n_epochs), history


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least validation loss; stops when it is past.

    One instance watches both phases of a fit: `weights` are those of the running phase, None as
    long as none of its epochs was better than all before.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss before training stops.
    """

    def __init__(self, patience):
        super().__init__()
        self.patience = patience
        self.loss, self.waited, self.weights = np.inf, 0, None

    def on_train_begin(self, logs=None):
        self.waited, self.weights = 0, None

    def on_epoch_end(self, epoch, logs=None):
        self.waited += 1
        if logs["val_loss"] < self.loss:
            self.loss, self.waited = logs["val_loss"], 0
            self.weights = self.model.get_weights()
        self.model.stop_training |= self.waited >= self.patience


class EpochProgress(keras.callbacks.Callback):
    """Tells a `Progress` of each epoch."""

    def __init__(self, progress):
        super().__init__()
        self._progress = progress

    def on_epoch_end(self, epoch, logs=None):
        self._progress.advance(note=_note(logs))


class BatchProgress(keras.callbacks.Callback):
    """Tells a `Progress` of each batch, with the figures of the last epoch."""

    def __init__(self, progress):
        super().__init__()
        self._progress, self._note = progress, ""

    def on_train_batch_end(self, batch, logs=None):
        self._progress.advance(note=self._note)

    def on_epoch_end(self, epoch, logs=None):
        self._note = _note(logs)
        self._progress.advance(0, note=self._note)


class EpochTasks(keras.callbacks.Callback):
    """Tells a `FitTask` of each epoch, and stops training where one of its callbacks wants that.

    Parameters
    ----------
    task : FitTask
    fitted : callable
        From the model to the attributes of an estimator that is fitted so far.
    """

    def __init__(self, task, fitted):
        super().__init__()
        self._task, self._fitted = task, fitted

    def on_epoch_begin(self, epoch, logs=None):
        self._task.begin_epoch(lambda: self._fitted(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training |= self._task.end_epoch(lambda: self._fitted(self.model))


def _note(logs):
    """Return the figures that matter, short enough for a bar of 80 columns."""
    prefix = "val_" if "val_loss" in logs else ""
    figures = ((prefix + name, logs[prefix + name]) for name in ("loss", "accuracy"))
    return " ".join(f"{name} {value:#.3g}" for name, value in figures)


def check_callbacks(callbacks):
    """Raise if one of the `callbacks` that a user passed is no Keras callback.

    Raises
    ------
    TypeError
    """
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks must hold instances of keras.callbacks.Callback. Got {callback!r}."
            )


def make_head_estimator(model, n_classes, callbacks=()):
    """Return the scikeras estimator that owns `model`.

    The one place to change on the day scikeras breaks: what `train_head` needs is ``fit`` and
    ``history_``, which a class of ten lines around `keras.Model.fit` has as well.
    """
    return _HeadClassifier(model=model, n_classes=n_classes, callbacks=list(callbacks), verbose=0)


def fitted_head_estimator(head, dropout):
    """Return a fitted scikeras estimator of `head`: raw features in, probabilities out."""
    model = build_head(head, dropout)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd")
    estimator = make_head_estimator(model, head.n_classes)
    n_features = len(head.standardization.mean)
    rows = np.zeros((head.n_classes, n_features), np.float32)
    return estimator.initialize(rows, np.arange(head.n_classes))


class _HeadClassifier(KerasClassifier):
    """Takes indices of classes as they are, also where a batch does not hold them all."""

    def __init__(self, *args, n_classes=2, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_classes = n_classes

    @property
    def target_encoder(self):
        return ClassifierLabelEncoder(categories=[np.arange(self.n_classes)])


def build_head(head, dropout):
    """Return `head` as a `keras.Model` from raw features to probabilities."""
    n_features = len(head.standardization.mean)
    inputs = x = keras.Input((n_features,), name="features", dtype="float32")
    for units in head.hidden_units:
        x = _dense(_dropout(x, dropout), units, "relu")
    outputs = _dense(_dropout(x, dropout), head.n_classes, "softmax")
    model = keras.Model(inputs, outputs, name="head")
    model.set_weights(head.folded_weights)
    return model


def build_model(frozen, head, mirrored_too):
    """Return one `keras.Model` from images to probabilities.

    Parameters
    ----------
    frozen : FrozenNetwork
    head : Head
    mirrored_too : bool
        Whether to average the probabilities of the image and of its mirror image.
    """
    backbone = build_units(frozen.network, pooled=True)
    backbone.set_weights(frozen.weights)
    # In Keras a nested network that may be trained normalises by batch statistics when called.
    backbone.trainable = False
    classify = build_head(head, dropout=0.0)
    inputs = keras.Input(frozen.image_shape, name="images", dtype="float32")
    views = [frozen, replace(frozen, mirrored=True)] if mirrored_too else [frozen]
    outputs = [_view(inputs, view, backbone, classify) for view in views]
    if mirrored_too:
        outputs = [keras.layers.Average(dtype="float32")(outputs)]
    return keras.Model(inputs, outputs[0], name="mobilenetv2_classifier")


def _view(inputs, frozen, backbone, classify):
    x = KerasLayers().preprocess(inputs, frozen.image_shape, frozen.preprocessing)
    return classify(backbone(x, training=False))


def _build_trainable_head(settings):
    inputs = keras.Input((settings.n_features,), dtype="float32")
    model = PlannedModel(keras.Model(inputs, dense_layers(inputs, settings)))
    model.compile(
        make_optimizer(settings.optimizer, settings.weight_decay),
        make_loss(settings.label_smoothing),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def dense_layers(x, settings):
    """Apply the layers of a head to standardised features; return its logits."""
    for units in settings.hidden_units:
        x = _dense(_dropout(x, settings.dropout), units, "relu")
    return _dense(_dropout(x, settings.dropout), settings.n_classes, None)


def _dropout(x, rate):
    return keras.layers.Dropout(rate, seed=0, dtype="float32")(x)


def _dense(x, units, activation):
    # Zeros, as weights are set later: an initialiser without a seed draws one from Python's
    # global random state.
    options = {"kernel_initializer": "zeros", "dtype": "float32"}
    return keras.layers.Dense(units, activation, **options)(x)


def make_loss(label_smoothing):
    """Return categorical cross-entropy of logits, one number a row."""
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction="none"
    )


class _ReusableModel:
    """A compiled head that is reset before each fit, so that nothing is left of the last one."""

    def __init__(self, settings):
        self.model = _build_trainable_head(settings)
        self._fresh_state = [v.numpy() for v in self.model.optimizer.variables]

    def reset(self, head):
        self.model.set_weights(head.weights + self.model.get_weights()[len(head.weights) :])
        state = head.optimizer_state or self._fresh_state
        for variable, value in zip(self.model.optimizer.variables, state, strict=True):
            variable.assign(value)

    def arrays(self):
        """Return copies of the weights and of the optimizer's variables."""
        weights = [v.numpy() for v in self.model.trainable_variables]
        return weights, [v.numpy() for v in self.model.optimizer.variables]


_idle_models = OrderedDict()
_idle_models_lock = threading.Lock()
_MAX_IDLE_MODELS = 8


@contextmanager
def _borrowed_model(settings):
    """Lend a compiled head to one fit at a time; threads that fit at once get one each."""
    with _idle_models_lock:
        idle = _idle_models.get(settings, [])
        borrowed = idle.pop() if idle else None
    borrowed = borrowed or _ReusableModel(settings)
    try:
        yield borrowed
    finally:
        with _idle_models_lock:
            _idle_models.setdefault(settings, []).append(borrowed)
            _idle_models.move_to_end(settings)
            while sum(map(len, _idle_models.values())) > _MAX_IDLE_MODELS:
                _idle_models.popitem(last=False)
