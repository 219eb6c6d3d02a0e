"""Parameters that work well together, from quick to accurate.

Plain dicts for `MobileNetV2Classifier`: ``MobileNetV2Classifier(**recipes.FAST, random_state=0)``.
All fine-tune the top 10 or 11 of the 17 blocks, `BALANCED` on parts of the images, and predict from
each image and its mirror image, `ACCURATE` from both moved in four directions, too, so that it
predicts five times as slowly. Where left and right have a meaning, as in text, do without both:
``{**recipes.FAST, "augmentation": None, "test_time_augmentation": False}``.

Trained on CIFAR-10's 50,000 images with ``precision="bfloat16"``, on two cores of an Intel Xeon
with AMX (`FAST` and `BALANCED`: of an AMD EPYC), they reach this accuracy on 5,000 test images, as
``benchmarks/fine_tuning.py --full --refit --precision bfloat16`` prints (minutes of a slow hour;
the Xeon can be a third quicker):

* ``FAST``: 4.8 minutes, 0.940;
* ``BALANCED``: 11.4 minutes, 0.958;
* ``ACCURATE``: 58.7 minutes, 0.965 (before fine-tuning averaged its weights).

`FAST` leaves `input_size` at "auto": of images above 176 px it sees more than `BALANCED`, up to
224 px in arrays, and takes longer. On few images, from five a class on, these recipes are better
than the defaults, or as good.
"""

# All before fine-tuning averaged its weights.
# BALANCED: parts of the images, and a larger input for the time that they save. Trained on 20,000
# images for 12 epochs at 3e-4, accuracy and log loss of 15,000 others, mirrored too: at 96 px,
# shifted views, 0.940 and 0.261; at 120 px 0.947 and 0.240; with parts in place of shifted views
# 0.946 and 0.242, in two thirds of the time; at 144 px, with parts, 0.950 and 0.228, in less time
# than the second. Trained on 45,000, BALANCED itself has 0.957 of 5,000 others. ACCURATE gains
# nothing: at 192 px, with parts, 15 epochs, 0.964 of the test images in 49 minutes.
# FAST: trained on 45,000 images, 0.9436 of 5,000 others with it; 0.9446 with 11 blocks, a step of
# which takes 10 % longer; 0.9404 with 7 blocks and 4 epochs; 0.9382 with 11 blocks, 2 epochs and
# the best of three rates. ACCURATE's rate: 0.952 with it, 0.948 with 5e-4 (9 epochs at 96 px,
# flipped); averages of the weights at the end change that by at most 0.001.
FAST = {
    "epochs": 12,
    "augmentation": "flip",
    "label_smoothing": 0.1,
    "fine_tune_epochs": 3,
    "fine_tune_blocks": 10,
    "fine_tune_learning_rate": 5e-4,
    "test_time_augmentation": True,
}
BALANCED = {
    **FAST,
    "input_size": 160,
    "augmentation": "flip_crop",
    "fine_tune_epochs": 4,
    "fine_tune_blocks": 11,
}
ACCURATE = {
    **BALANCED,
    "augmentation": "flip_translate",
    "fine_tune_epochs": 16,
    "fine_tune_learning_rate": 3e-4,
    "test_time_augmentation": "flip_translate",
}
