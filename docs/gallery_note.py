"""Move the note on downloads, which Sphinx-Gallery puts above the title of an example, below it."""

from docutils import nodes
from sphinx import addnodes

_CLASS = "sphx-glr-download-link-note"


def move_note(app, doctree):
    """Put the note in second place of the first section."""
    for only in list(doctree.findall(addnodes.only)):
        notes = [node for node in only.findall(nodes.note) if _CLASS in node["classes"]]
        section = next(iter(doctree.findall(nodes.section)), None)
        if notes and section is not None:
            only.parent.remove(only)
            section.insert(1, only)


def setup(app):
    app.connect("doctree-read", move_note)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
