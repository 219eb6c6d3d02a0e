"""Searches and predictions on a Dask cluster of real worker processes."""

import os

import joblib
import numpy as np
import pytest
from deadly_callback import make_deadly_callback
from sklearn.model_selection import GridSearchCV, StratifiedKFold

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("dask.distributed")


@pytest.fixture(scope="module")
def client():
    """A client of two real worker processes on this machine."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300s"}),  # 30 s if nothing is said
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
    client.wait_for_workers(2)  # with one alone, what is scattered would die with it
    workers = set(client.run(os.getpid).values())
    callbacks = [make_deadly_callback(str(tmp_path / "died"))]
    classifier = make_classifier(epochs=2, callbacks=callbacks, feature_cache=tmp_path / "cache")
    search = make_search(classifier, images)
    with joblib.parallel_config("dask", scatter=[*images]):
        search.fit(*images)
    died = int((tmp_path / "died").read_text())
    assert died in workers
    # A worker that is being replaced may not answer.
    assert died not in client.run(os.getpid, on_error="ignore").values()
    assert_same_search(search, serial, images[0])


@pytest.mark.timeout(600)
def test_workers_of_a_cluster_compute_the_blocks(client, serial, images):
    X = images[0]
    lazy = serial.best_estimator_.predict_proba(da.from_array(X, chunks=(20, -1, -1, -1)))
    # In other batches sums come in another order.
    np.testing.assert_allclose(lazy.compute(), serial.best_estimator_.predict_proba(X), atol=1e-6)
