"""A Keras model whose `fit` follows a schedule, with its optimizers and its loss.

Imports TensorFlow and Keras at the top: import this module inside functions.
"""

from collections import defaultdict
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from sklearn.utils import gen_batches

from .._system.interrupts import ctrl_c_waits
from .._system.threads import one_ahead
from .callbacks import BestWeights, forget_model
from .faster_parts import FusedAdam
from .memory import on_one_device


@dataclass(frozen=True)
class Phase:
    """What one phase of a fit trains on, how long, and who listens.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Indices of classes.
    weights : ndarray of shape (n,)
    schedule : Schedule
    validation : (inputs, labels, weights), default=None
        Inputs of shape (n, ...), without views.
    best : BestWeights, default=None
        Whose weights are taken in the end.
    callbacks : tuple of keras.callbacks.Callback, default=()
    checkpoint : PhaseCheckpoint, default=None
        Where the state is left after each epoch, and taken from at the start.
    """

    labels: np.ndarray
    weights: np.ndarray
    schedule: object
    validation: tuple | None = None
    best: BestWeights | None = None
    callbacks: tuple = ()
    checkpoint: object = None

    @property
    def listeners(self):
        """All that hears of the epochs."""
        return [*self.callbacks] if self.best is None else [*self.callbacks, self.best]


class PlannedModel(keras.Model):
    """A Keras model whose `fit` follows a `Schedule`.

    For a head alone the rows stay resident, and an epoch is one compiled loop: Keras' own loop
    costs two to three times the arithmetic of a head. Rows are drawn, and dropout is done to
    them, while the step before is taken. Keras' callbacks hear of epochs; those
    that listen to batches make it run batch by batch, with the same result. With units of the
    network below the head, rows are gathered batch by batch, the next while a step is taken.

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
        # Said outright: Keras' global policy would cast inputs, and scale losses.
        super().__init__(dtype="float32")
        self.head = head
        self.units = units
        self._input_dropout, self._after_dropout = _split_off_dropout(head)
        self._batch_statistics = batch_statistics
        self._evaluation_batch = evaluation_batch
        self._compiled_epoch = tf.function(self._run_epoch, reduce_retracing=True)
        self._compiled_batch = tf.function(self._run_batch)  # knows shapes: `WholeOrCropped` asks
        self._compiled_logits = tf.function(self._run_logits, reduce_retracing=True)
        self.built = True  # its parts are

    @property
    def outputs(self):
        """The logits, which scikeras counts."""
        return self.head.outputs

    def call(self, inputs, training=False):
        if self.units is not None:
            inputs = self.units(inputs, training=training and self._batch_statistics)
        return self.head(inputs, training=training)

    def fit(self, x, y, *, phase, inputs_by_epoch=None, **_):
        """Train for the epochs of a `Phase` and return the history.

        It ends with an epoch whose loss is not a finite number.

        Parameters
        ----------
        x : ndarray of shape (n, n_views, ...)
            The views of each input.
        y : ndarray of shape (n,)
            The labels of the phase, as scikeras hands them on.
        phase : Phase
        inputs_by_epoch : callable, default=None
            Instead of `x`: from the number of an epoch to its inputs, without views. Those of a
            head alone are an array; others are indexed with numbers of rows.
        **_
            Keras' other options, which scikeras passes on; the phase decides these.
        """
        schedule = phase.schedule
        callbacks = keras.callbacks.CallbackList(
            phase.listeners,
            model=self,
            verbose=0,
            epochs=schedule.end,
            steps=schedule.n_batches(len(phase.weights)),
        )
        self.stop_training = False
        labels = np.repeat(np.ravel(y).astype(np.int32), schedule.n_views)
        run_epoch = self._run_batchwise
        if inputs_by_epoch is None:
            x = x.reshape(-1, *x.shape[2:])
        if self.units is None and not _listens_to_batches(callbacks):
            run_epoch, labels = self._run_compiled, tf.constant(labels)
            x = tf.constant(x) if inputs_by_epoch is None else None
        callbacks.on_train_begin()
        history = self._restored(phase.checkpoint)
        self.history = _History(history)
        for epoch in range(schedule.first_epoch + len(history["loss"]), schedule.end):
            if self.stop_training:
                break
            callbacks.on_epoch_begin(epoch)
            inputs = None  # of the last epoch: two of them may not fit into memory
            inputs = x if inputs_by_epoch is None else inputs_by_epoch(epoch)
            logs = run_epoch(inputs, labels, schedule.plan(epoch, phase.weights), callbacks)
            if phase.validation is not None:
                logs |= self._validate(*phase.validation, callbacks)
            for name, value in logs.items():
                history[name].append(value)
            callbacks.on_epoch_end(epoch, logs)
            if not np.isfinite(logs["loss"]):
                break  # it stays so, and is nothing to go on from
            if phase.checkpoint is not None:
                phase.checkpoint.save(self, history)
        callbacks.on_train_end()
        forget_model(callbacks.callbacks)
        return self.history

    def _restored(self, checkpoint):
        """Go back to where an interrupted fit was; return the history so far."""
        history = defaultdict(list, loss=[])
        if checkpoint is not None:
            self.optimizer.build(self.trainable_variables)
            restored, self.stop_training = checkpoint.restore(self)
            history.update(restored)
        return history

    def _run_compiled(self, x, labels, plan, callbacks):
        self._seed_dropout(plan.dropout_seed)
        arrays = x, labels, plan.rows, plan.weights, plan.sizes, plan.learning_rates
        with ctrl_c_waits():
            totals = self._compiled_epoch(*map(tf.convert_to_tensor, arrays)).numpy()
        return _means(totals, plan.sizes)

    def _run_batchwise(self, x, labels, plan, callbacks):
        self._seed_dropout(plan.dropout_seed)
        totals = np.zeros(2)
        inputs_ahead = one_ahead(lambda rows: x[rows].astype(np.float32), plan.rows)
        for batch, (rows, inputs) in enumerate(zip(plan.rows, inputs_ahead, strict=True)):
            callbacks.on_train_batch_begin(batch)
            arrays = plan.weights[batch], plan.sizes[batch], plan.learning_rates[batch]
            arrays = inputs, labels[rows], *arrays
            with ctrl_c_waits():
                batch_totals = self._compiled_batch(*map(tf.constant, arrays)).numpy()
            totals += batch_totals
            callbacks.on_train_batch_end(batch, _named(batch_totals / plan.sizes[batch]))
            if self.stop_training:
                break
        return _means(totals, plan.sizes[: batch + 1])

    def _run_epoch(self, x, y, rows, weights, sizes, learning_rates):
        n_batches, totals = tf.shape(rows)[0], tf.zeros(2)
        inputs, labels = self._draw_batch(x, y, rows[0])
        for batch in tf.range(n_batches):
            # Needs nothing of this step, so TensorFlow runs it beside it, on another core.
            following = self._draw_batch(x, y, rows[tf.minimum(batch + 1, n_batches - 1)])
            totals += self._take_step(
                self._after_dropout,
                inputs,
                labels,
                weights[batch],
                sizes[batch],
                learning_rates[batch],
            )
            inputs, labels = following
        return totals

    def _draw_batch(self, x, y, rows):
        """Return inputs after the first dropout, and labels."""
        return self._input_dropout(tf.gather(x, rows), training=True), tf.gather(y, rows)

    def _run_batch(self, x, labels, weights, size, learning_rate):
        return self._take_step(self, x, labels, weights, size, learning_rate)

    def _take_step(self, layers, x, labels, weights, size, learning_rate):
        """Take one step; return the weighted sums of loss and of correct answers."""
        with tf.GradientTape() as tape:
            logits = layers(x, training=True)
            targets = tf.one_hot(labels, logits.shape[-1])
            losses = weights * self.loss(targets, logits)
            mean_loss = tf.reduce_sum(losses) / size
        gradients = tape.gradient(mean_loss, [v.value for v in self.trainable_variables])
        self.optimizer.learning_rate.assign(learning_rate)
        self.optimizer.apply(gradients, self.trainable_variables)
        return _sums(losses, weights, logits, labels)

    def _run_logits(self, x):
        return self(x, training=False)

    def _validate(self, x, y, weights, callbacks):
        callbacks.on_test_begin()
        totals, weights = np.zeros(2), weights / weights.mean()
        for batch, part in enumerate(gen_batches(len(y), self._evaluation_batch)):
            callbacks.on_test_batch_begin(batch)
            with ctrl_c_waits():
                labels = tf.constant(y[part], tf.int32)
                part_weights = tf.constant(weights[part], tf.float32)
                logits = self._compiled_logits(tf.constant(x[part].astype(np.float32)))
                losses = part_weights * self.loss(tf.one_hot(labels, logits.shape[-1]), logits)
                part_totals = _sums(losses, part_weights, logits, labels).numpy()
            totals += part_totals
            callbacks.on_test_batch_end(batch, _named(part_totals / len(part_weights)))
        logs = _named(totals / weights.sum())
        callbacks.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}

    def _seed_dropout(self, seed):
        for number, layer in enumerate(self.head.layers):
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                layer.seed_generator.state.assign([seed, number << 24])


def _split_off_dropout(head):
    """Return the dropout that `head` starts with, and the layers after it as a `keras.Model`."""
    first = head.layers[1]
    if isinstance(first, keras.layers.Dropout):
        return first, keras.Model(first.output, head.outputs[0])
    return keras.layers.Identity(dtype="float32"), head


class _History:
    """What `keras.Model.fit` returns, as far as scikeras reads it."""

    def __init__(self, history):
        self.history = history


def _sums(losses, weights, logits, labels):
    correct = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
    return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(weights * correct)])


def _means(totals, sizes):
    return _named(totals / sizes.sum())


def _named(means):
    return {"loss": float(means[0]), "accuracy": float(means[1])}


_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def _listens_to_batches(callbacks):
    """Whether a hook that Keras calls for each batch is overridden, by a class or an instance."""
    base = keras.callbacks.Callback
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(base, hook)
        for callback in callbacks.callbacks
        for hook in _BATCH_HOOKS
    )


# Keras' table of names has no such entry.
_UNLISTED = {"adam": FusedAdam, "lamb": keras.optimizers.Lamb}


def check_optimizer(name):
    """Raise a ValueError if the Keras that is installed has no optimizer `name`."""
    if name not in map(str.lower, dir(keras.optimizers)):
        raise ValueError(
            f"optimizer={name!r} is not in Keras {keras.__version__}. Update Keras, or pass "
            "another one, such as 'adam'."
        )


def make_optimizer(name, weight_decay):
    """Return the Keras optimizer `name`, with decoupled weight decay of the kernels."""
    optimizer = _UNLISTED[name]() if name in _UNLISTED else keras.optimizers.get(name)
    _keep_rate_in_float32(optimizer)
    optimizer.weight_decay = weight_decay or None
    if hasattr(optimizer, "adam_weight_decay"):  # Muon's, of what is no matrix
        optimizer.adam_weight_decay = optimizer.weight_decay
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return on_one_device(optimizer)


def _keep_rate_in_float32(optimizer):
    """Make its step size a float32, which Keras makes of the global type of numbers."""
    given = optimizer.learning_rate
    if given.dtype != "float32":
        rate = keras.Variable(0.0, dtype="float32", trainable=False, name="learning_rate")
        optimizer._untrack_variable(given)
        optimizer._track_variable(rate)
        optimizer._learning_rate = rate


def make_loss(label_smoothing):
    """Return categorical cross-entropy of logits, one number a row."""
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction="none", dtype="float32"
    )
