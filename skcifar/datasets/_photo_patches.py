"""Patches of scikit-learn's two sample photographs."""

from typing import Any, Literal

import numpy as np

from ._bunch import image_bunch

_SIDE, _STEP = 40, 2
_COVER = 0.75  # of a patch lies within the outline of its part
_COUNTS = {"train": 80, "test": 40}  # patches of each kind

# What is where: outlines drawn by hand, as (x, y) pixels of the photographs. Two parts of each kind
# are to train on, the third is to test with.
_CHINA, _FLOWER = "china.jpg", "flower.jpg"
_PARTS = {
    "bush": (
        ("train", _CHINA, ((513, 285), (530, 280), (570, 325), (560, 427), (513, 427))),
        ("train", _CHINA, ((450, 300), (493, 290), (493, 427), (450, 427))),
        ("test", _CHINA, ((330, 400), (380, 335), (440, 305), (440, 427), (325, 427))),
    ),
    "conifer": (
        ("train", _CHINA, ((558, 200), (600, 140), (640, 160), (640, 265), (560, 265))),
        ("train", _CHINA, ((573, 345), (640, 345), (640, 427), (565, 427))),
        ("test", _CHINA, ((565, 275), (640, 275), (640, 335), (572, 335))),
    ),
    "gallery": (
        ("train", _CHINA, ((82, 290), (175, 292), (340, 275), (340, 315), (175, 342), (82, 330))),
        ("train", _CHINA, ((118, 122), (294, 122), (294, 154), (118, 154))),
        ("test", _CHINA, ((98, 190), (320, 190), (320, 235), (98, 235))),
    ),
    "lake": (
        ("train", _CHINA, ((450, 233), (545, 223), (550, 270), (480, 285), (450, 295))),
        ("train", _CHINA, ((0, 283), (62, 280), (66, 320), (40, 330), (0, 290))),
        ("test", _CHINA, ((338, 240), (438, 232), (438, 298), (380, 325), (355, 305))),
    ),
    "leaves": (
        ("train", _FLOWER, ((455, 0), (640, 0), (640, 180), (455, 180))),
        ("train", _FLOWER, ((455, 200), (640, 200), (640, 390), (430, 360))),
        ("test", _FLOWER, ((0, 30), (220, 0), (160, 200), (170, 310), (150, 427), (0, 427))),
    ),
    "petals": (
        ("train", _FLOWER, ((310, 85), (380, 97), (425, 145), (444, 205), (310, 205))),
        ("train", _FLOWER, ((310, 225), (444, 225), (430, 290), (390, 335), (310, 357))),
        (
            "test",
            _FLOWER,
            ((300, 85), (230, 105), (190, 150), (170, 210), (185, 290), (230, 335), (300, 357)),
        ),
    ),
    "roof": (
        ("train", _CHINA, ((65, 270), (90, 246), (345, 244), (350, 262), (300, 275), (175, 287))),
        ("train", _CHINA, ((196, 66), (214, 66), (275, 102), (318, 120), (97, 116))),
        (
            "test",
            _CHINA,
            ((200, 367), (300, 347), (345, 322), (374, 335), (340, 368), (300, 375), (245, 395)),
        ),
    ),
    "shore": (
        ("train", _CHINA, ((448, 190), (548, 190), (548, 240), (448, 240))),
        ("train", _CHINA, ((45, 190), (98, 190), (98, 245), (60, 255))),
        ("test", _CHINA, ((334, 190), (440, 190), (440, 240), (334, 240))),
    ),
    "sky": (
        ("train", _CHINA, ((0, 0), (185, 0), (185, 55), (95, 95), (95, 150), (70, 170), (0, 130))),
        ("train", _CHINA, ((485, 0), (640, 0), (640, 130), (590, 135), (545, 195), (485, 195))),
        ("test", _CHINA, ((335, 0), (470, 0), (470, 185), (335, 185))),
    ),
    "tree": (
        ("train", _CHINA, ((0, 140), (40, 195), (75, 235), (55, 265), (0, 275))),
        ("train", _CHINA, ((0, 300), (50, 342), (110, 337), (110, 427), (0, 427))),
        ("test", _CHINA, ((114, 337), (130, 335), (200, 385), (285, 427), (114, 427))),
    ),
}

_DESCR = """Patches of two photographs
==========================

1,200 patches of 40 x 40 pixels in 10 kinds (bush, conifer, gallery, lake, leaves, petals, roof,
shore, sky, tree), cut from the photographs "china.jpg" and "flower.jpg" that come with
scikit-learn: a pagoda above a lake, and a dahlia. Several kinds have nearly the same colours; what
tells them apart is texture. 80 patches of each kind are to train on and 40 to test with; these come
from other parts of the photographs, and share no pixel with the former.

Origin, as scikit-learn states it:

"""


def load_photo_patches(
    *, subset: Literal["train", "test", "all"] = "train", return_X_y: bool = False
) -> Any:
    """Load patches of scikit-learn's sample photographs, of ten kinds such as roof and sky.

    Real photographs without a download, for when there is no network connection and handwritten
    digits are too easy.

    =================   ================
    Classes                           10
    Samples                 1,200 in all
    Image shape              (40, 40, 3)
    Pixels               uint8, 0 to 255
    =================   ================

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 800 training patches, the 400 test patches, or the former followed by the latter. They
        come from different parts of the photographs.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        images : ndarray of shape (n_samples, 40, 40, 3), uint8
            RGB images, channels last.
        data : ndarray of shape (n_samples, 4800), uint8
            The same images, each as one row.
        target : ndarray of shape (n_samples,)
            Classes, 0 to 9.
        target_names : ndarray of shape (10,)
            Their names.
        groups : ndarray of shape (n_samples,)
            Number of the part of a photograph from which the patch was cut.
        DESCR : str
            What they are, and the credits and licence of the photographs.
    (images, target) : tuple if ``return_X_y=True``
        Two of these fields.

    Raises
    ------
    ValueError
        If `subset` is not one of the three.

    Notes
    -----
    Patches of the same part overlap, so cross-validation that separates them is too optimistic.
    Pass `groups` to a splitter that keeps groups together, such as
    ``StratifiedGroupKFold(n_splits=2)``: each kind has two parts to train on.

    Examples
    --------
    >>> from skcifar.datasets import load_photo_patches
    >>> patches = load_photo_patches()
    >>> patches.images.shape, patches.images.dtype
    ((800, 40, 40, 3), dtype('uint8'))
    >>> patches.target_names[:4].tolist()
    ['bush', 'conifer', 'gallery', 'lake']
    >>> X_test, y_test = load_photo_patches(subset="test", return_X_y=True)
    >>> X_test.shape, y_test.shape
    ((400, 40, 40, 3), (400,))
    """
    subsets = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
    if subset not in subsets:
        raise ValueError(f"subset must be 'train', 'test' or 'all'; got {subset!r}.")
    from sklearn.datasets import load_sample_images

    samples = load_sample_images()
    names = [filename.replace("\\", "/").rpartition("/")[2] for filename in samples.filenames]
    photographs = dict(zip(names, samples.images, strict=True))
    parts = _cut({name: photograph.shape[:2] for name, photograph in photographs.items()})
    patches = [patch for name in subsets[subset] for patch in _shuffled(parts[name])]
    images = np.stack(
        [
            photographs[name][top : top + _SIDE, left : left + _SIDE]
            for name, top, left, *_ in patches
        ]
    )
    target = np.array([kind for *_, kind, _ in patches])
    if return_X_y:
        return images, target
    groups = np.array([part for *_, part in patches])
    return image_bunch(images, target, list(_PARTS), _DESCR + samples.DESCR, groups=groups)


def _cut(shapes):
    """Return the patches of each subset, as (photograph, top, left, kind, number of the part)."""
    candidates = {"train": {}, "test": {}}
    n_parts = 0
    for kind, outlines in enumerate(_PARTS.values()):
        for subset, name, outline in outlines:
            corners = _corners_within(outline, shapes[name])
            patches = [(name, top, left, kind, n_parts) for top, left in corners]
            candidates[subset].setdefault(kind, []).extend(patches)
            n_parts += 1
    train = [patch for kind in candidates["train"].values() for patch in _thinned(kind, "train")]
    seen = _pixels_of(train, shapes)
    test = [
        patch
        for kind in candidates["test"].values()
        for patch in _thinned([patch for patch in kind if not _pixels(patch, seen).any()], "test")
    ]
    return {"train": train, "test": test}


def _corners_within(outline, shape):
    """Return (top, left) of the patches of which enough lies within an outline."""
    from PIL import Image, ImageDraw

    mask = Image.new("1", shape[::-1])
    ImageDraw.Draw(mask).polygon(outline, fill=1)
    sums = np.pad(np.asarray(mask, int).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = sums[_SIDE:] - sums[:-_SIDE]
    covered = (rows[:, _SIDE:] - rows[:, :-_SIDE])[::_STEP, ::_STEP]
    return (np.argwhere(covered >= _COVER * _SIDE**2) * _STEP).tolist()


def _thinned(patches, subset):
    """Return as many patches as `subset` has of each kind, evenly spread."""
    spread = np.linspace(0, len(patches) - 1, _COUNTS[subset]).round().astype(int)
    return [patches[index] for index in spread]


def _pixels_of(patches, shapes):
    """Return a mask of each photograph: what is on any patch."""
    masks = {name: np.zeros(shape, bool) for name, shape in shapes.items()}
    for patch in patches:
        _pixels(patch, masks)[...] = True
    return masks


def _pixels(patch, masks):
    """Return the view of the mask of its photograph that a patch covers."""
    name, top, left, *_ = patch
    return masks[name][top : top + _SIDE, left : left + _SIDE]


def _shuffled(patches):
    return [patches[index] for index in np.random.RandomState(0).permutation(len(patches))]
