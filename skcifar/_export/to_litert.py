"""Writes a LiteRT model, with TensorFlow's own converter."""

import contextlib
import io

from .._system.atomic_file import replaced_file
from .._system.libraries import import_keras


def write(classifier, normalizers, path):
    """Write a LiteRT model to `path`."""
    keras = import_keras()
    import tensorflow as tf

    inputs = x = keras.Input(classifier.image_shape_, name="images", dtype="float32")
    for normalizer in normalizers:
        # Not Keras' layer for it: that takes columns for channels where these globally come first.
        x = x * normalizer.scale_.astype("float32") + normalizer.offset_.astype("float32")
    model = keras.Model(inputs, classifier.model_(x))
    with contextlib.redirect_stdout(io.StringIO()):  # it lists every variable
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with replaced_file(path) as file:
        file.write(content)
