"""
Pictures of any shape
=====================

What happens to a picture that is not square?

The network sees all pictures at one size. `load_image`, `ImageFiles` and `load_image_folder` bring
them to it in one of three ways.
"""

# %%
# A wide picture
# --------------
# One of scikit-learn's sample photographs, and a strip of the other, written to files.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from PIL import Image
from sklearn.datasets import load_sample_image

from skcifar import ImageFiles

temporary = TemporaryDirectory()
paths = [Path(temporary.name, name) for name in ("flower.jpg", "roofs.jpg")]
Image.fromarray(load_sample_image("flower.jpg")).save(paths[0])
Image.fromarray(load_sample_image("china.jpg")[150:310]).save(paths[1])

# %%
# Three ways to a square
# ----------------------

ways = ("stretch", "crop", "pad")
figure, axes = plt.subplots(2, 4, figsize=(9, 4.4), layout="constrained")
for row, path in zip(axes, paths, strict=True):
    row[0].imshow(Image.open(path))
    row[0].set_title("the file")
    for ax, way in zip(row[1:], ways, strict=True):
        ax.imshow(ImageFiles([path], image_size=160, resize=way)[0])
        ax.set_title(f'resize="{way}"')
for ax in axes.flat:
    ax.axis("off")
plt.show()

temporary.cleanup()

# %%
# "stretch" keeps everything and distorts it: a little for the flower, which is 3 : 2, and much for
# the strip. "crop" keeps the shapes and loses the edges. "pad" keeps the shapes and the edges, at
# the price of a smaller picture between grey borders.
