"""What a step of training the default head consists of, and what each part takes.

A step of 64 images: two matrix products forward and three backward, the update of all weights by
Adam, and, beside them on another core, drawing the next rows and their dropout. Of the products the
script prints GFLOP/s: each needs the one before and runs on one core. Of Adam it prints the bytes
that are read and written (weights, two moments and the gradient) in GB/s: what the caches of this
machine give, for a step moves more than they hold. Each part is a compiled loop of an epoch; the
fastest of three counts. With ``precision="bfloat16"`` the products of the hidden layer are
in it, and the time of products has the rounding of weights and gradients in it.

    python benchmarks/head_step.py           # 5,000 images
    python benchmarks/head_step.py --full    # 50,000
"""

import time
from itertools import product

import numpy as np
from common import (
    BATCH_SIZE,
    DROPOUT,
    HIDDEN_UNITS,
    N_CLASSES,
    parse_arguments,
    print_machine,
    print_table,
)

from skcifar._extraction.engines import training_precision

EPOCHS = 20
N_FEATURES = {"last": 1_280, "blocks": 1_504}
N_TURNS = 3


def build(n_features, dropout, precision):
    """Return a trainable head with small random weights, and how many these are."""
    from skcifar._keras.heads import build_trainable_head
    from skcifar._model.head import HeadSettings

    settings = HeadSettings(
        n_features=n_features,
        hidden_units=(HIDDEN_UNITS,),
        n_classes=N_CLASSES,
        dropout=dropout,
        optimizer="adam",
        label_smoothing=0.05,
        weight_decay=0.0,
        precision=precision,
    )
    model, rng = build_trainable_head(settings), np.random.default_rng(0)
    weights = [rng.normal(scale=0.03, size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    return model, sum(w.size for w in weights)


def loops(n_features, n_images, precision):
    """Yield (name, number of weights, compiled loop of an epoch)."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(n_images, n_features)), tf.float32)
    labels = tf.constant(rng.integers(N_CLASSES, size=n_images), tf.int32)
    n_steps = n_images // BATCH_SIZE
    rows = rng.permutation(n_images)[: n_steps * BATCH_SIZE].reshape(n_steps, BATCH_SIZE)
    rows = tf.constant(rows, tf.int32)
    weights, sizes = tf.ones(rows.shape), tf.fill((n_steps,), float(BATCH_SIZE))
    rates = tf.fill((n_steps,), 1e-4)
    model, n_weights = build(n_features, DROPOUT, precision)
    without_dropout, _ = build(n_features, 0.0, precision)

    def gradients_of(inputs, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(without_dropout.loss(targets, without_dropout.head(inputs)))
        return tape.gradient(loss, [v.value for v in without_dropout.trainable_variables])

    one_batch, targets = x[:BATCH_SIZE], tf.one_hot(labels[:BATCH_SIZE], N_CLASSES)

    @tf.function
    def products():
        gradients = gradients_of(one_batch, targets)
        for _ in tf.range(n_steps):
            # Each step waits for the one before, as in training; else two run side by side.
            gradients = gradients_of(one_batch + gradients[0][0, 0] * 1e-9, targets)
        return gradients[0][0, 0]

    @tf.function
    def adam():
        gradients = gradients_of(one_batch, targets)
        for _ in tf.range(n_steps):
            model.optimizer.apply(gradients, model.trainable_variables)

    @tf.function
    def draw():
        inputs, drawn = model._draw_batch(x, labels, rows[0])
        for step in tf.range(n_steps):
            inputs, drawn = model._draw_batch(x, labels, rows[step])
        return inputs[0, 0], drawn[0]

    @tf.function
    def whole():
        return model._run_epoch(x, labels, rows, weights, sizes, rates)

    for loop in (whole, products, adam, draw):
        yield loop.__name__, n_weights, loop


def milliseconds(loop, n_steps):
    loop()  # compiles
    seconds = []
    for _ in range(N_TURNS):
        start = time.perf_counter()
        loop()
        seconds.append(time.perf_counter() - start)
    return 1e3 * min(seconds) / n_steps


def main():
    arguments = parse_arguments(__doc__, n_images=(5_000, 50_000))
    print_machine()
    n_steps, rows = arguments.n_images // BATCH_SIZE, []
    precisions = dict.fromkeys(map(training_precision, ("float32", "bfloat16")))
    for (layers, n_features), precision in product(N_FEATURES.items(), precisions):
        for name, n_weights, loop in loops(n_features, arguments.n_images, precision):
            step = milliseconds(loop, n_steps)
            rate = {
                # forward, and backward to the weights; the inner gradient is a hundredth of them
                "products": f"{4e-6 * BATCH_SIZE * n_weights / step:.0f} GFLOP/s",
                "adam": f"{7 * 4e-6 * n_weights / step:.0f} GB/s",
            }.get(name, "")
            total = step * n_steps * EPOCHS / 1e3
            rows.append((f"{layers}, {precision}, {name}", f"{step:.2f}", f"{total:.1f}", rate))
    print_table((f"{arguments.n_images} images", "ms a step", f"s in {EPOCHS} epochs", ""), rows)


if __name__ == "__main__":
    main()
