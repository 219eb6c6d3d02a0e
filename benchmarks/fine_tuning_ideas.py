"""Fine-tuning with ideas, each beside `recipes.ACCURATE` at 96 px, mirrored, in fewer epochs.

    python benchmarks/fine_tuning_ideas.py           # 20,000 training images, 12 epochs: 2 hours
    python benchmarks/fine_tuning_ideas.py --full    # 45,000 images, 12 epochs
    python benchmarks/fine_tuning_ideas.py --ideas "as it is" "MixUp of stored maps"

Accuracy on 15,000 training images of CIFAR-10 that are kept apart (``--full``: 5,000), of the
image, mirrored too and moved too, and log loss of the image. Most of these ideas did not stay, and
are no options: they replace parts of skcifar here.
"""

import argparse
import time
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from common import print_machine, print_table
from fine_tuning import VIEWS, accuracies, validation_split
from PIL import Image
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier, clear_feature_cache, recipes
from skcifar._extraction.extractor import Extractor
from skcifar._training import fit, inputs, schedule

N_IMAGES, N_OTHERS = 20_000, 10_000  # to train on; held out beside the validation split
MIXUP_ALPHA = 0.2
LEAST_AREA = 0.6  # of a crop
AVERAGE_MOMENTUM = 0.9995  # a step; less at first
ITERATE_WITH_MAPS = Extractor.iterate_with_maps


def mix_batch(model, x, labels, weights, size, learning_rate):
    """Take a step on what enters the trained blocks, mixed with that of other images.

    References
    ----------
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; of inner maps: Verma et
    al., "Manifold Mixup", ICML 2019.
    """
    import tensorflow as tf

    from skcifar._keras.planned_model import _sums

    draws = tf.random.gamma([2], MIXUP_ALPHA)
    share = tf.reduce_max(draws) / (tf.reduce_sum(draws) + 1e-30)
    others = tf.random.shuffle(tf.range(tf.shape(x)[0]))

    def mixed(values):
        return share * values + (1 - share) * tf.gather(values, others)

    with tf.GradientTape() as tape:
        logits = model(mixed(x), training=True)
        losses = weights * model.loss(mixed(tf.one_hot(labels, logits.shape[-1])), logits)
        mean_loss = tf.reduce_sum(losses) / size
    gradients = tape.gradient(mean_loss, [v.value for v in model.trainable_variables])
    model.optimizer.learning_rate.assign(learning_rate)
    model.optimizer.apply(gradients, model.trainable_variables)
    return _sums(losses, weights, logits, labels)


def random_crops(images):
    """Return a part of each image, at its size: as `RandomResizedCrop` of other libraries."""
    rng, crops = np.random.default_rng(0), np.empty_like(images)
    side = images.shape[1]
    for crop, image in zip(crops, images, strict=True):
        area, ratio = rng.uniform(LEAST_AREA, 1), np.exp(rng.uniform(-0.28, 0.28))
        width, height = (min(side, side * np.sqrt(area * r)) for r in (ratio, 1 / ratio))
        left, top = rng.uniform(0, side - width), rng.uniform(0, side - height)
        box = (left, top, left + width, top + height)
        crop[:] = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC, box)
    return crops


def iterate_with_crops(extractor, views, unit, images, progress):
    """Yield the outputs for crops of the images, too: those of two views more."""
    outputs = (
        ITERATE_WITH_MAPS(extractor, views[:2], unit, pixels, progress)
        for pixels in (images, random_crops(images))
    )
    for (rows, of_images), (_, of_crops) in zip(*outputs, strict=True):
        yield rows, [*of_images, *of_crops]


def views_of_crops(frozen, augmentation):
    return [frozen, frozen.mirror_image] * 2


def averaging():
    """Return a Keras callback that ends with an exponential average of the weights."""
    import keras

    class Average(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self._means = [variable.numpy() for variable in self.model.trainable_variables]
            self._n_steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self._n_steps += 1
            share = max(1 - AVERAGE_MOMENTUM, 9 / (9 + self._n_steps))
            for mean, variable in zip(self._means, self.model.trainable_variables, strict=True):
                mean += share * (variable.numpy() - mean)

        def on_train_end(self, logs=None):
            if self.model.units is not None:  # not of the head alone
                for mean, variable in zip(self._means, self.model.trainable_variables, strict=True):
                    variable.assign(mean)

    return Average()


def decaying_schedule(fitting, first_unfrozen):
    """Return a schedule whose rate decays from the first epoch on; no weights are averaged."""
    return replace(PLANNED(fitting, first_unfrozen), averaged=False)


MIXUP = [patch("skcifar._keras.planned_model.PlannedModel._run_batch", mix_batch)]
CROPS = [
    patch.object(Extractor, "iterate_with_maps", iterate_with_crops),
    patch.object(fit, "stored_views", views_of_crops),
    patch.object(inputs, "stored_views", views_of_crops),
]
PLANNED = fit.Fit._fine_tuning_schedule
NOT_AVERAGED = [patch.object(fit.Fit, "_fine_tuning_schedule", decaying_schedule)]
NONE_WHOLE = [
    *NOT_AVERAGED,
    patch.object(schedule.Schedule, "finish", schedule.Schedule.end),
]
SHIFTED, CROPPED = (
    {"input_size": 120, "augmentation": name} for name in ("flip_translate", "flip_crop")
)
SHORT = {"fine_tune_epochs": 4, "fine_tune_learning_rate": 5e-4}
# Name: parts of skcifar that are replaced, and parameters of one fit or of two, the second of
# which goes on from the network of the first.
IDEAS = {
    "as it is": ([], {}),
    "MixUp of stored maps": (MIXUP, {}),
    "two random crops more an image": (CROPS, {}),
    "weights not averaged": (NOT_AVERAGED, {}),
    "exponential average of the weights": (NOT_AVERAGED, {"callbacks": averaging}),
    "shifted views too": ([], {"augmentation": "flip_translate"}),
    "top 4 blocks, then top 11": ([], {"fine_tune_blocks": 4}, {}),
    "half of the epochs at 96 px, then 128 px": ([], {}, {"input_size": 128}),
    **{
        f"{name}{suffix}": (replaced, parameters)
        for name, parameters in (
            ("120 px, shifted views too", SHIFTED),
            ("120 px, crops", CROPPED),
            ("120 px, crops, 4 epochs at 5e-4", {**CROPPED, **SHORT}),
        )
        for suffix, replaced in (("", []), (", weights not averaged", NOT_AVERAGED))
    },
    "120 px, crops to the end, weights not averaged": (NONE_WHOLE, CROPPED),
    "128 px": ([], {"input_size": 128}),
    "192 px": ([], {"input_size": 192}),
}


def fitted(X, y, options, first, *second):
    """Return a fitted classifier; with `second`, its network goes on from that of the first."""
    first = {**options, **first}
    if "callbacks" in first:
        first["callbacks"] = [first["callbacks"]()]
    if not second:
        return MobileNetV2Classifier(**first).fit(X, y)
    n_epochs = options["fine_tune_epochs"] // 2
    before = MobileNetV2Classifier(**{**first, "fine_tune_epochs": n_epochs}).fit(X, y)
    (second,) = second
    classifier = MobileNetV2Classifier(
        **{**options, **second, "fine_tune_epochs": options["fine_tune_epochs"] - n_epochs}
    )
    new_network = MobileNetV2Classifier._frozen_network

    def tuned_network(classifier):
        return replace(new_network(classifier), weights=before._frozen.weights)

    with patch.object(MobileNetV2Classifier, "_frozen_network", tuned_network):
        return classifier.fit(X, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="45,000 images")
    parser.add_argument("--ideas", nargs="+", choices=IDEAS, default=list(IDEAS))
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    print_machine()
    (X, y), held_out = validation_split()
    if not arguments.full:
        others = X[N_IMAGES:][:N_OTHERS], y[N_IMAGES:][:N_OTHERS]
        held_out = [np.concatenate(parts) for parts in zip(held_out, others, strict=True)]
        X, y = X[:N_IMAGES], y[:N_IMAGES]
    options = {
        **recipes.ACCURATE,
        "augmentation": "flip",
        "fine_tune_epochs": 12,
        "input_size": 96,
        "precision": arguments.precision,
        "random_state": 0,
    }
    rows = []
    for name in arguments.ideas:
        patches, *fits = IDEAS[name]
        clear_feature_cache()
        start = time.perf_counter()
        with ExitStack() as stack:
            for replaced in patches:
                stack.enter_context(replaced)
            classifier = fitted(X, y, options, *fits)
        minutes = (time.perf_counter() - start) / 60
        scores = accuracies(classifier, [held_out])
        classifier.set_params(test_time_augmentation=False)
        scores.append(log_loss(held_out[1], classifier.predict_proba(held_out[0])))
        rows.append((name, f"{minutes:.1f}", *(f"{score:.4f}" for score in scores)))
        print(*rows[-1], flush=True)
    header = ("accuracy" + suffix for suffix in VIEWS.values())
    print_table((f"{len(X)} images", "minutes", *header, "log loss"), rows)


if __name__ == "__main__":
    main()
