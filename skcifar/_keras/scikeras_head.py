"""The head as a scikeras estimator: the only file that imports scikeras.

Imports TensorFlow, Keras and scikeras at the top: import this module inside functions.
"""

import numpy as np
from scikeras.utils.transformers import ClassifierLabelEncoder
from scikeras.wrappers import KerasClassifier

from .heads import build_head


def make_head_estimator(model, n_classes):
    """Return the scikeras estimator that owns `model`.

    The one place to change on the day scikeras breaks: what `train_head` needs is ``fit`` and
    ``history_``, which a class of ten lines around `keras.Model.fit` has as well.
    """
    return _HeadClassifier(model=model, n_classes=n_classes, verbose=0)


def fitted_head_estimator(head, dropout):
    """Return a fitted scikeras estimator of `head`: raw features in, probabilities out."""
    model = build_head(head, dropout)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", auto_scale_loss=False)
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
    def feature_encoder(self):
        # Passes arrays through: scikit-learn would warn of it where frames are the global setting.
        return super().feature_encoder.set_output(transform="default")

    @property
    def target_encoder(self):
        return ClassifierLabelEncoder(categories=[np.arange(self.n_classes)])
