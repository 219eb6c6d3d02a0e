"""How the Displays draw: axes, grids of pictures, colours, texts that do not overlap."""

import math

import numpy as np

# Distinct when filled, also at 4 points; with ten colours, 100 classes have a sign of their own.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "p")
_PICTURE_WIDTH, _PICTURE_GAP, _TITLE_HEIGHT = 1.6, 0.1, 0.4  # inches
_TITLE_SIZE = 9  # points
# Keywords of a legend to the right of axes, where it hides nothing.
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1), "borderaxespad": 0}
# Offsets to try for a label, nearest first, in heights of it: a sunflower, even in all directions.
_STEPS = np.arange(4000)
_SPIRAL = (
    0.4
    * np.sqrt(_STEPS)[:, None]
    * np.column_stack(
        [
            np.cos(_STEPS * math.pi * (3 - math.sqrt(5))),
            np.sin(_STEPS * math.pi * (3 - math.sqrt(5))),
        ]
    )
)


def colors_and_markers(n):
    """Return `n` colours and `n` markers: colours repeat after ten, pairs of both after 100.

    The palette is seaborn's "colorblind" (after Okabe and Ito, "Color Universal Design", 2008).
    """
    import seaborn as sns

    colors = sns.color_palette("colorblind", 10)
    markers = [_MARKERS[(i + i // 10) % 10] for i in range(n)]
    return [colors[i % 10] for i in range(n)], markers


def merge_style(artist, defaults, given):
    """Return matplotlib keywords for `artist` (a class): `given` (a dict or None) wins."""
    from matplotlib.cbook import normalize_kwargs

    return {**normalize_kwargs(defaults, artist), **normalize_kwargs(given or {}, artist)}


def single_axes(ax, figsize):
    """Return `ax`, or the axes of a new figure that makes room for its labels."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def given_axes(ax, n):
    """Return the first `n` of an array of axes."""
    axes = np.ravel(ax)
    if len(axes) < n:
        raise ValueError(
            f"ax holds {len(axes)} axes, {n} are drawn. Pass at least {n} axes, a single one that "
            "is divided, or None for a new figure."
        )
    return axes[:n]


def is_single_axes(ax):
    from matplotlib.axes import Axes

    return isinstance(ax, Axes)


def picture_grid(ax, n_pictures, *, aspect=1.0):
    """Return an array of `n_pictures` axes with room for titles of two lines.

    Parameters
    ----------
    ax : Axes, array-like of Axes, or None
        A single one is divided, an array is used as it stands, None makes a new figure.
    aspect : float, default=1.0
        Height of a picture divided by its width.
    """
    if ax is not None and not is_single_axes(ax):
        return given_axes(ax, n_pictures)
    n_columns = min(n_pictures, 5)
    n_rows = math.ceil(n_pictures / n_columns)
    if ax is None:
        height = _PICTURE_WIDTH * aspect + _TITLE_HEIGHT + _PICTURE_GAP
        ax = _bare_figure_axes(n_columns * (_PICTURE_WIDTH + _PICTURE_GAP), n_rows * height)
    ax.set_axis_off()
    cells = [divmod(i, n_columns) for i in range(n_pictures)]
    return np.array([_inset(ax, row, column, n_rows, n_columns) for row, column in cells])


def _bare_figure_axes(width, height):
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height)).add_axes((0, 0, 1, 1))


def _inset(ax, row, column, n_rows, n_columns):
    """Return the axes of one cell; in small figures half the cell is picture nevertheless."""
    width, height = 1 / n_columns, 1 / n_rows
    inches = ax.get_window_extent().size / ax.get_figure(root=True).dpi
    gap = min(_PICTURE_GAP / inches[0], width / 8)
    title, below = (min(t / inches[1], height / 4) for t in (_TITLE_HEIGHT, _PICTURE_GAP))
    left, bottom = column * width + gap / 2, 1 - (row + 1) * height + below
    return ax.inset_axes((left, bottom, width - gap, height - title - below))


def show_picture(ax, picture, title):
    """Draw one image without ticks, and return it; the title stands above it."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title, fontsize=_TITLE_SIZE, pad=4, linespacing=1.1)
    return ax.imshow(picture, interpolation="nearest")


def fit_titles(axes):
    """Make the titles of a grid so small that none reaches into the next cell, and texts inside."""
    figure = axes[0].get_figure(root=True)
    figure.draw_without_rendering()
    lefts = np.unique([round(ax.get_window_extent().x0) for ax in axes])
    room = np.diff(lefts).min() if len(lefts) > 1 else figure.bbox.width
    shrink_to_fit([ax.title for ax in axes], max_width=0.97 * room)
    if inside := [text for ax in axes for text in ax.texts]:
        shrink_to_fit(inside, max_width=0.4 * axes[0].get_window_extent().width)


def shrink_to_fit(texts, *, max_width=np.inf, max_height=np.inf):
    """Give `texts` a common font size at which each fits, in pixels."""
    # Glyphs of a few points are not proportional to their size: measure again.
    for _ in range(10):
        width, height = _text_sizes(texts).max(axis=0)
        scale = min(max_width / width, max_height / height)
        if scale >= 1:
            return
        for text in texts:
            text.set_fontsize(scale * text.get_fontsize())


def say_nothing_to_draw(ax, message):
    """Write `message` in the middle of axes without frame."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, message, ha="center", va="center", transform=ax.transAxes, wrap=True)


def place_labels(ax, names, anchors):
    """Write each name at its anchor, or as near as it is free of the other names.

    Parameters
    ----------
    names : list of str
        What to write.
    anchors : array-like of shape (n, 2)
        Where, in data coordinates; a line leads there from a name that had to move.

    Returns
    -------
    list of matplotlib Annotation
    """
    labels = [_halo_label(ax, name, xy) for name, xy in zip(names, anchors, strict=True)]
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    frame = ax.get_window_extent()
    sizes = _fit_into_area(labels, 0.3 * frame.width * frame.height)
    centers = ax.transData.transform(anchors)
    shifts = _free_centers(centers, sizes, frame.extents) - centers
    for label, shift in zip(labels, shifts, strict=True):
        label.set_position(shift * 72 / figure.dpi)
    return labels


def _halo_label(ax, name, xy):
    from matplotlib.patheffects import withStroke

    return ax.annotate(
        name,
        xy,
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=9,
        path_effects=[withStroke(linewidth=3, foreground="white")],
        arrowprops={"arrowstyle": "-", "color": "0.2", "linewidth": 0.6, "shrinkA": 0},
    )


def _fit_into_area(labels, area):
    """Shrink labels that cover more than `area` together; return (width, height) of each."""
    sizes = _text_sizes(labels)
    scale = min(1, math.sqrt(area / sizes.prod(axis=1).sum()))
    for label in labels:
        label.set_fontsize(scale * label.get_fontsize())
    return _text_sizes(labels) + 2


def _text_sizes(texts):
    from matplotlib.text import Text

    # Of the text alone: an annotation counts its line too.
    return np.array([Text.get_window_extent(text).size for text in texts])


def _free_centers(centers, sizes, frame):
    """Return a centre for each box, inside of the frame and clear of the boxes before it."""
    boxes, placed = np.empty((0, 4)), []
    for center, size in zip(centers, sizes, strict=True):
        candidates = np.clip(center + _SPIRAL * size[1], frame[:2] + size / 2, frame[2:] - size / 2)
        corners = np.hstack([candidates - size / 2, candidates + size / 2])
        free = ~_overlap(corners[:, None], boxes[None]).any(axis=1)
        best = int(np.argmax(free))
        boxes = np.vstack([boxes, corners[best]])
        placed.append(candidates[best])
    return np.array(placed)


def _overlap(a, b):
    """Tell which boxes (left, bottom, right, top) share area."""
    return ((a[..., :2] < b[..., 2:]) & (b[..., :2] < a[..., 2:])).all(axis=-1)
