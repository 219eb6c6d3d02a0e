"""Images to learn from: CIFAR-10, photographs, digits, your own folder, synthetic ones."""

from ._cifar10 import fetch_cifar10
from ._digits import load_digits_rgb
from ._example import fetch_example_data
from ._folder import load_image_folder
from ._photo_patches import load_photo_patches
from ._synthetic import make_images

__all__ = [
    "fetch_cifar10",
    "fetch_example_data",
    "load_digits_rgb",
    "load_image_folder",
    "load_photo_patches",
    "make_images",
]
