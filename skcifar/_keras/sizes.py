"""Units that take whole inputs and crops of them.

Imports Keras at the top: import this module inside functions.
"""

import keras


class WholeOrCropped(keras.Model):
    """Two models of the same layers, for two shapes of inputs.

    Parameters
    ----------
    whole, cropped : keras.Model
    """

    def __init__(self, whole, cropped):
        super().__init__(dtype="float32")
        self.whole, self.cropped = whole, cropped
        self.built = True  # its parts are

    @property
    def input_shape(self):
        """That of whole inputs."""
        return self.whole.input_shape

    def get_weights(self):
        """Return those of `whole`; `cropped` has but its own matrices that resize images."""
        return self.whole.get_weights()

    def call(self, inputs, training=False):
        is_whole = inputs.shape[1:] == self.whole.input_shape[1:]
        return (self.whole if is_whole else self.cropped)(inputs, training=training)
