"""
More images than memory
=======================

How much memory does `predict` take when the images do not fit into it?

A Dask array represents images that are created, or read, one block at a time. `predict_proba`
returns a Dask array as well; nothing is computed until you ask for it.
"""

# %%
# A classifier
# ------------
# On a part of CIFAR-10 where it is available, otherwise on data that need no download.

import threading
import weakref

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

from skcifar import MobileNetV2Classifier
from skcifar.datasets import fetch_example_data

data = fetch_example_data(n_train=1200, n_test=500)
print(data.DESCR)
classifier = MobileNetV2Classifier(weights=data.weights, epochs=10, random_state=0)
classifier.fit(data.X_train, data.y_train)

# %%
# Images that are never all in memory
# -----------------------------------
# Each block holds 250 test images, mirrored or not and shifted by a few pixels, as if read from a
# disk. It records when it enters memory and when it leaves.

PER_BLOCK, N_BLOCKS = 250, 24
in_memory, lock = [0], threading.Lock()


def count(change):
    with lock:
        in_memory.append(in_memory[-1] + change)


def make_block(block_info=None):
    rng = np.random.default_rng(block_info[None]["chunk-location"][0])
    images = data.X_test[rng.integers(len(data.X_test), size=PER_BLOCK)]
    images = np.roll(images[:, :, :: rng.choice([1, -1])], rng.integers(-3, 4), axis=2).copy()
    count(+1)
    weakref.finalize(images, count, -1)
    return images


image_shape = data.X_test.shape[1:]
images = da.map_blocks(
    make_block,
    chunks=((PER_BLOCK,) * N_BLOCKS, *((side,) for side in image_shape)),
    meta=np.empty((0, 0, 0, 0), data.X_test.dtype),
)
print(images)

# %%
# Lazy predictions
# ----------------

probabilities = classifier.predict_proba(images)
print(probabilities)
print(f"blocks that were made so far: {len(in_memory) - 1}")

share_of_classes = probabilities.mean(axis=0).compute(scheduler="threads", num_workers=2)
for name, share in zip(data.target_names, share_of_classes, strict=True):
    print(f"{name:12} {share:.3f}")

# %%
# What was in memory
# ------------------

fig, ax = plt.subplots(layout="constrained")
ax.step(range(len(in_memory)), np.array(in_memory) * PER_BLOCK)
ax.axhline(PER_BLOCK * N_BLOCKS, color="0.5", linestyle="--", label="all images")
ax.set(xlabel="blocks created or released", ylabel="images in memory", ylim=(0, None))
ax.legend()
plt.show()

# %%
# Only a few blocks are in memory at a time, however many there are: the two that are being
# computed, and those that wait. Smaller blocks take less memory; a cluster holds a few per worker.
