"""Dask: searches on a cluster of worker processes, and arrays larger than memory."""

import os
import signal
import subprocess
import sys
import threading
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer
from skcifar.datasets import make_images

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("dask.distributed")


# --- Searches on worker processes ------------------------------------------------------------


@pytest.fixture(scope="module")
def client():
    """A client of two real worker processes on this machine."""
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def list_of_splits(X, y):
    """Return the splits of a cross-validation, as lists of lists."""
    splits = StratifiedKFold(2).split(X, y)
    return [(train.tolist(), test.tolist()) for train, test in splits]


def make_search(classifier, images):
    return GridSearchCV(classifier, {"learning_rate": [0.01, 0.003]}, cv=list_of_splits(*images))


@pytest.fixture(scope="module")
def serial(make_classifier, images):
    return make_search(make_classifier(epochs=2), images).fit(*images)


def assert_same_search(search, serial, X):
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )
    assert search.best_params_ == serial.best_params_
    np.testing.assert_allclose(search.predict_proba(X), serial.predict_proba(X), atol=1e-6)


class DiesOnce:
    """Makes a Keras callback that kills the worker process it is in, the first time one runs."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __call__(self):
        import keras

        class Deadly(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None, marker=self.marker):
                try:
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
                os.kill(os.getpid(), signal.SIGKILL)

        return Deadly()


@pytest.mark.timeout(600)
def test_a_search_on_a_cluster_gives_what_the_serial_one_gives(
    client, make_classifier, images, tmp_path, serial
):
    classifier = make_classifier(epochs=2, feature_cache=tmp_path / "cache")
    search = make_search(classifier, images)
    with joblib.parallel_config("dask", scatter=[*images]):
        search.fit(*images)
    assert_same_search(search, serial, images[0])


@pytest.mark.timeout(600)
def test_a_search_survives_a_worker_that_is_killed(
    client, make_classifier, images, tmp_path, serial
):
    marker = tmp_path / "died"
    pids = set(client.run(os.getpid).values())
    callbacks = [DiesOnce(marker)()]
    search = make_search(make_classifier(epochs=2, callbacks=callbacks), images)
    with joblib.parallel_config("dask", scatter=[*images]):
        search.fit(*images)
    assert marker.exists()
    assert set(client.run(os.getpid).values()) != pids
    assert_same_search(search, serial, images[0])
