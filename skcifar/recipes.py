"""Parameters that go together: the best accuracy that was measured for so many minutes.

Plain dicts for `MobileNetV2Classifier`: ``MobileNetV2Classifier(**recipes.FAST, random_state=0)``.
All fine-tune the top 11 of the 17 blocks, and predict from each image and its mirror image: where
left and right have a meaning, as in text, pass ``augmentation=None`` and
``test_time_augmentation=False`` instead.

Trained on CIFAR-10's 50,000 images with ``precision="bfloat16"``, on two cores of an Intel Xeon
with AMX, they reach this accuracy on 5,000 test images (``benchmarks/fine_tuning.py --refit``):

* ``FAST``: 5.0 minutes, 0.942;
* ``BALANCED``: 13.3 minutes, 0.957;
* ``ACCURATE``: not measured yet. With 12 epochs instead of 16 and ``feature_layers="last"``, an
  older version had 0.963 in 50 minutes.

Use them from ten images per class on; with fewer, the defaults are better.
"""

FAST = {
    "epochs": 8,
    "augmentation": "flip",
    "label_smoothing": 0.1,
    "fine_tune_epochs": 3,
    "fine_tune_blocks": 11,
    "fine_tune_learning_rate": 5e-4,
    "test_time_augmentation": True,
}
BALANCED = {**FAST, "input_size": 128, "augmentation": "flip_translate", "fine_tune_epochs": 5}
ACCURATE = {
    **BALANCED,
    "input_size": 160,
    "fine_tune_epochs": 16,
    "fine_tune_learning_rate": 3e-4,
}
