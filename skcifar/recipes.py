"""Parameters that work well together, from quick to accurate.

Plain dicts for `MobileNetV2Classifier`: ``MobileNetV2Classifier(**recipes.FAST, random_state=0)``.
All fine-tune the top 11 of the 17 blocks, and predict from each image and its mirror image: where
left and right have a meaning, as in text, pass ``augmentation=None`` and
``test_time_augmentation=False`` instead.

Trained on CIFAR-10's 50,000 images with ``precision="bfloat16"``, on two cores of an Intel Xeon
with AMX, they reach this accuracy on 5,000 test images, as
``benchmarks/fine_tuning.py --full --refit --precision bfloat16`` prints:

* ``FAST``: 4.7 minutes, 0.942;
* ``BALANCED``: 8.9 minutes, 0.955;
* ``ACCURATE``: 41.9 minutes, 0.966 (in a run of its own).

`FAST` leaves `input_size` at "auto": for images larger than 96 px it sees more of them than
`BALANCED`, and takes longer. It is better than the defaults from ten images of each class on.
"""

FAST = {
    "epochs": 12,
    "augmentation": "flip",
    "label_smoothing": 0.1,
    "fine_tune_epochs": 3,
    "fine_tune_blocks": 11,
    "fine_tune_learning_rate": 5e-4,
    "test_time_augmentation": True,
}
BALANCED = {**FAST, "input_size": 128, "fine_tune_epochs": 4}
ACCURATE = {
    **FAST,
    "input_size": 160,
    "augmentation": "flip_translate",
    "fine_tune_epochs": 16,
    "fine_tune_learning_rate": 3e-4,
}
