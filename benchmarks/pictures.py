"""Reading pictures: processor time against plain Pillow, and which `resize` is best.

The time is that of JPEGs of 1000 x 1000 px, smooth random ones of about 200 kB.

For the accuracy, training images of CIFAR-10 become pictures of aspect ratios from 1 : 2.5 to
2.5 : 1: what is above and below, or left and right, is cut off. A logistic regression learns their
features at 96 px from 3,000 of them and is scored on 1,500 others, in three splits.

    python benchmarks/pictures.py
"""

import io
import time
from unittest.mock import patch

import numpy as np
from common import print_machine, print_table
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import ImageFiles, MobileNetV2Features, load_image
from skcifar.datasets import fetch_cifar10

N_IMAGES = 4_500
WAYS = (("stretch", None), ("crop", None), *(("pad", grey) for grey in (128, 0, 255)))


def jpegs(n, rng):
    for _ in range(n):
        stream = io.BytesIO()
        small = Image.fromarray(rng.integers(256, size=(60, 60, 3), dtype=np.uint8))
        small.resize((1000, 1000), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        yield stream.getvalue()


def read_by_pillow(content, size):
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def milliseconds(read, contents):
    """Return the processor time of one picture: the least of three runs over all."""
    times = []
    for _ in range(3):
        start = time.process_time()
        for content in contents:
            read(content)
        times.append(time.process_time() - start)
    return 1000 * min(times) / len(contents)


def times_of(size, contents):
    ours = milliseconds(lambda content: load_image(content, image_size=size), contents)
    pillow = milliseconds(lambda content: read_by_pillow(content, size), contents)
    difference = np.mean(
        [
            abs(load_image(content, image_size=size).astype(int) - read_by_pillow(content, size))
            for content in contents
        ]
    )
    return size, f"{ours:.1f}", f"{pillow:.1f}", f"{difference:.2f}"


def pictures_of_any_shape(images, rng):
    for image, log_ratio in zip(images, rng.uniform(-1, 1, len(images)), strict=True):
        ratio = 2.5**log_ratio
        width, height = round(128 * min(ratio, 1)), round(128 * min(1 / ratio, 1))
        left, upper = (128 - width) // 2, (128 - height) // 2
        large = Image.fromarray(image).resize((128, 128), Image.Resampling.BICUBIC)
        yield large.crop((left, upper, left + width, upper + height))


def accuracy(pictures, y, resize, grey):
    with patch("skcifar._images.sizing._PADDING", (grey,) * 3):
        X = np.asarray(ImageFiles(pictures, image_size=96, resize=resize))
    transformer = MobileNetV2Features(input_size=96, feature_layers="last", feature_cache=None)
    features = transformer.fit_transform(X)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    splits = ShuffleSplit(3, test_size=1 / 3, random_state=0)
    return cross_val_score(head, features, y, cv=splits).mean()


def main():
    rng = np.random.default_rng(0)
    print_machine()
    contents = list(jpegs(32, rng))
    header = ("pixels", "load_image, ms", "Pillow, ms", "mean difference of 255")
    print_table(header, [times_of(size, contents) for size in (96, 160, 224)])

    X, y = fetch_cifar10(subset="train", return_X_y=True)
    chosen = rng.permutation(len(X))[:N_IMAGES]
    pictures = list(pictures_of_any_shape(X[chosen], rng))
    rows = (
        (resize, "" if grey is None else grey, f"{accuracy(pictures, y[chosen], resize, grey):.3f}")
        for resize, grey in WAYS
    )
    print_table(("resize", "borders", "accuracy"), rows)


if __name__ == "__main__":
    main()
