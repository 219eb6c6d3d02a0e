"""How the gallery looks: thumbnails that can be read, and the note on downloads below the title."""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes

_NOTE = "sphx-glr-download-link-note"
_SIZE = (400, 300)
_ALL = (0, 0, 1, 1)
_THREE_OF_FIVE, _THREE_OF_FOUR = (0, 0, 0.6, 1), (0, 0, 0.75, 1)

# By example: the number of the figure, and the part of it to show (left, top, right, bottom).
_PICKED = {
    "plot_cifar10_workflow": (4, (0, 0, 0.6, 0.6)),
    "plot_image_folder": (1, _THREE_OF_FIVE),
    "plot_features": (1, (0, 0, 0.86, 1)),
    "plot_resizing_pictures": (1, (0.24, 0, 1, 1)),
    "plot_misclassified": (3, _THREE_OF_FIVE),
    "plot_feature_map": (2, _ALL),
    "plot_fine_tuning": (2, _ALL),
    "plot_save_and_export": (1, (0, 0, 0.53, 1)),
    "plot_novelty": (2, _THREE_OF_FOUR),
    "plot_mislabelled": (1, _THREE_OF_FOUR),
    "plot_prediction_sets": (1, _THREE_OF_FOUR),
    "plot_shap": (2, _THREE_OF_FOUR),
    "plot_skore": (1, (0, 0, 1, 0.66)),
}


def draw_thumbnails(app):
    """Cut the thumbnails out of the figures of the examples."""
    from PIL import Image, ImageOps

    for old in Path(app.srcdir, "auto_examples").rglob("thumb/sphx_glr_plot_*_thumb.png"):
        example = old.name.removeprefix("sphx_glr_").removesuffix("_thumb.png")
        number, part = _PICKED.get(example, (1, _ALL))
        figure = old.parents[1] / f"sphx_glr_{example}_{number:03d}.png"
        if figure.is_file():
            with Image.open(figure) as image:
                sides = (*image.size, *image.size)
                cut = image.convert("RGB").crop(
                    [round(share * side) for share, side in zip(part, sides, strict=True)]
                )
            ImageOps.pad(cut, _SIZE, Image.Resampling.LANCZOS, color="white").save(old)


def move_note(app, doctree):
    """Move the note on downloads, which Sphinx-Gallery puts above the title, below it."""
    for only in list(doctree.findall(addnodes.only)):
        notes = [node for node in only.findall(nodes.note) if _NOTE in node["classes"]]
        section = next(iter(doctree.findall(nodes.section)), None)
        if notes and section is not None:
            only.parent.remove(only)
            section.insert(1, only)


def setup(app):
    # After Sphinx-Gallery, which draws thumbnails of its own at the same event.
    app.connect("builder-inited", draw_thumbnails, priority=900)
    app.connect("doctree-read", move_note)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
