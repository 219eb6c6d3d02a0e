"""Pictures in files: from paths to a fitted classifier, on all cores and in little memory.

JPEGs of 1000 x 1000 px, smooth random ones of about 200 kB in ten classes, are written to a
temporary folder (4 GB with --full). Each line is a process of its own, without a feature cache
but where that is what is measured. Memory is the peak above that after a small fit: libraries
and compiled networks are there then.

The processor time of reading and of the network is measured apart, on some of the pictures. A fit
cannot take less than half of the sum on two cores; what it takes above is reported as a ratio, of
the features alone and with the training of the head.

Plain Keras reads with `keras.utils.image_dataset_from_directory`. It is given the better way to
train: the network once over each image, then the head; Keras' own guide runs both in each epoch,
which is shown for one epoch. The plain loop opens, converts and resizes each picture with Pillow.

    python benchmarks/files.py
    python benchmarks/files.py --full
    python benchmarks/files.py --many 1000000
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import psutil
from common import INPUT_SIZE, plain_keras_head, plain_keras_model, print_machine, print_table
from PIL import Image

from skcifar import ImageFiles, MobileNetV2Classifier, MobileNetV2Features

SIDE, N_CLASSES, EPOCHS = 1000, 10, 20
N_ALONE = 500  # pictures on which reading and the network are measured apart
N_TARGETS, SMALL_SIDE = 2_000, 64  # of the many links


def write_pictures(folder, n, side=SIDE):
    """Write `n` JPEGs into one folder a class, of which each has a tint; return their paths."""

    def write(number):
        rng = np.random.default_rng(number)
        small = rng.integers(256, size=(60, 60, 3)) * (1 + np.eye(3)[number % 3]) / 2
        picture = Image.fromarray(small.astype(np.uint8))
        path = Path(folder, str(number % N_CLASSES), f"{number}.jpg")
        path.parent.mkdir(exist_ok=True, parents=True)
        picture.resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)
        return str(path)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(write, range(n)))


def labels_of(paths):
    return [Path(path).parent.name for path in paths]


def classifier(**parameters):
    options = {"input_size": INPUT_SIZE, "feature_cache": None, "random_state": 0}
    return MobileNetV2Classifier(**{**options, **parameters})


def fitted_on_few(paths):
    few = paths[: 2 * N_CLASSES]
    return classifier(epochs=1).fit(few, np.arange(len(few)) % N_CLASSES)


def measured(function, paths, *arguments):
    """Call `function` in this process, once it is warm; return a dict of what it took."""
    fitted_on_few(paths)
    memory = psutil.Process().memory_info().rss
    start, cpu = time.perf_counter(), time.process_time()
    more = function(paths, *arguments) or {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "memory": (peak - memory) / 1e9,
        **more,
    }


def in_new_process(function, paths, *arguments):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        return processes.submit(measured, function, paths, *arguments).result()


def fit(paths, cache=None):
    from skcifar._images import pieces
    from skcifar._training.inputs import TrainingInputs

    times, decoded, features, decode = {}, [], TrainingInputs.features, pieces.decode

    def timed(*arguments):
        start, cpu = time.perf_counter(), time.process_time()
        result = features(*arguments)
        times["features"] = time.perf_counter() - start
        times["features_cpu"] = time.process_time() - cpu
        return result

    def counted(*arguments):
        decoded.append(1)
        return decode(*arguments)

    with patch.object(TrainingInputs, "features", timed), patch.object(pieces, "decode", counted):
        classifier(epochs=EPOCHS, feature_cache=cache).fit(paths, labels_of(paths))
    return {**times, "decoded": len(decoded)}


def predict(paths):
    model = fitted_on_few(paths)
    start = time.perf_counter()
    model.predict(paths)
    return {"wall": time.perf_counter() - start}


def predict_in_a_plain_loop(paths):
    model = fitted_on_few(paths)
    start = time.perf_counter()
    size = (INPUT_SIZE, INPUT_SIZE)
    images = [np.asarray(Image.open(path).convert("RGB").resize(size)) for path in paths]
    model.predict(np.stack(images))
    return {"wall": time.perf_counter() - start}


def read_alone(paths):
    """Read all that the network would see: the content of each file, its digest, its pixels."""
    from skcifar._images.pieces import pieces_of

    for piece in pieces_of(ImageFiles(paths, image_size=INPUT_SIZE), 1000):
        piece.digests()
        piece.pixels(range(len(piece)))


def network_alone(paths):
    images = np.asarray(ImageFiles(paths, image_size=INPUT_SIZE))
    features = MobileNetV2Features(input_size=INPUT_SIZE, feature_cache=None).fit(images)
    features.transform(images[:64])
    cpu = time.process_time()
    features.transform(images)
    return {"cpu": time.process_time() - cpu}


def _keras_dataset(paths, **options):
    import keras

    return keras.utils.image_dataset_from_directory(
        Path(paths[0]).parent.parent,
        image_size=(INPUT_SIZE, INPUT_SIZE),
        batch_size=64,
        verbose=False,
        **options,
    )


def keras_features_once(paths):
    import keras

    model = plain_keras_model(image_size=INPUT_SIZE)
    pooling = next(x for x in model.layers if isinstance(x, keras.layers.GlobalAveragePooling2D))
    network = keras.Model(model.inputs, pooling.output)
    dataset = _keras_dataset(paths, shuffle=False)
    labels = np.sort([int(label) for label in labels_of(paths)])  # in this order without shuffling
    features = network.predict(dataset, verbose=0)
    plain_keras_head().fit(features, labels, batch_size=64, epochs=EPOCHS, verbose=0)


def keras_epoch(paths):
    plain_keras_model(image_size=INPUT_SIZE).fit(_keras_dataset(paths, seed=0), verbose=0)


def transform(paths):
    """Transform all paths; the memory of what is returned does not count."""
    features = MobileNetV2Features(weights=None, alpha=0.35, input_size=32, feature_cache=None).fit(
        paths[:10]
    )
    features.transform(paths[:5000])
    memory = psutil.Process().memory_info().rss
    rows = features.transform(paths)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"memory": (peak - memory - rows.nbytes) / 1e9}


def links_to(paths, folder, n):
    links = []
    for number in range(n):
        link = os.path.join(folder, str(number // 10_000), f"{number}.jpg")
        if number % 10_000 == 0:
            os.mkdir(os.path.dirname(link))
        os.symlink(paths[number % len(paths)], link)
        links.append(link)
    return links


def compare(paths, folder):
    alone = paths[:N_ALONE]
    reading = in_new_process(read_alone, alone)["cpu"] / len(alone)
    network = in_new_process(network_alone, alone)["cpu"] / len(alone)
    print_table(
        ("processor time of a picture", "ms"),
        [("reading", f"{1000 * reading:.2f}"), ("network", f"{1000 * network:.2f}")],
    )
    least = (reading + network) * len(paths) / os.cpu_count()
    cache = os.path.join(folder, "features")
    rows = {
        "skcifar": in_new_process(fit, paths),
        "skcifar, with a folder as feature_cache": in_new_process(fit, paths, cache),
        "skcifar, again": in_new_process(fit, paths, cache),
        "Keras, network once, then the head": in_new_process(keras_features_once, paths),
        "Keras, one epoch of both": in_new_process(keras_epoch, paths),
    }
    ours = rows["skcifar"]
    print_table(
        (
            f"fit of {len(paths):,} files",
            "s",
            "of skcifar's",
            "cores busy",
            "decoded",
            "memory, GB",
        ),
        [
            (
                name,
                f"{row['wall']:.1f}",
                f"{row['wall'] / ours['wall']:.1f}",
                f"{row['cpu'] / row['wall']:.2f}",
                row.get("decoded", ""),
                f"{row['memory']:.2f}",
            )
            for name, row in rows.items()
        ],
    )
    print_table(
        ("of what reading and network need on all cores", "wall time", "processor time"),
        [
            (name, f"{wall / least:.2f}", f"{cpu / os.cpu_count() / least:.2f}")
            for name, wall, cpu in (
                ("features", ours["features"], ours["features_cpu"]),
                ("whole fit", ours["wall"], ours["cpu"]),
            )
        ],
    )
    rows = {
        "skcifar, paths": in_new_process(predict, paths),
        "Pillow in a loop, then an array": in_new_process(predict_in_a_plain_loop, paths),
    }
    first = rows["skcifar, paths"]["wall"]
    print_table(
        (f"predict of {len(paths):,} files", "s", "ratio", "memory, GB"),
        [
            (name, f"{row['wall']:.1f}", f"{row['wall'] / first:.1f}", f"{row['memory']:.2f}")
            for name, row in rows.items()
        ],
    )


def follow_many(n, folder):
    targets = write_pictures(os.path.join(folder, "few"), N_TARGETS, SMALL_SIDE)
    rows = []
    for n_links in (n // 10, n):
        place = os.path.join(folder, f"links {n_links}")
        os.mkdir(place)
        row = in_new_process(transform, links_to(targets, place, n_links))
        rows.append((f"{n_links:,}", f"{row['wall']:.0f}", f"{1000 * row['memory']:.0f}"))
    print_table(("links through transform", "s", "memory beyond the result, MB"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="20,000 pictures instead of 2,000")
    parser.add_argument("--pictures", type=int, help="another number of them")
    parser.add_argument("--many", type=int, help="only transform so many links to small pictures")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.many:
            follow_many(arguments.many, folder)
            return
        n = arguments.pictures or (20_000 if arguments.full else 2_000)
        compare(write_pictures(os.path.join(folder, "pictures"), n), folder)


if __name__ == "__main__":
    main()
