"""Links to the documentation of other projects, made from their rules for addresses.

sphinx.ext.intersphinx would fetch an inventory from each project; this needs no network.
"""

from docutils import nodes

_SKLEARN = "https://scikit-learn.org/stable/"
# Pages of scikit-learn that its docstrings, which ours inherit, refer to by label.
_SKLEARN_LABELS = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "data_transforms.html",
    "metadata_routing": "metadata_routing.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def address_of(kind, target):
    """Return the address that a reference leads to, or None.

    Parameters
    ----------
    kind : str
        The type of the reference, such as "class", "ref" or "term".
    target : str
    """
    if kind == "ref" and target in _SKLEARN_LABELS:
        return _SKLEARN + _SKLEARN_LABELS[target]
    if kind == "term":
        return f"{_SKLEARN}glossary.html#term-{target.replace(' ', '-')}"
    if target.startswith("sklearn."):
        page = target
        if kind in ("meth", "attr"):
            page = target.rpartition(".")[0]
        anchor = "" if page == target else f"#{target}"
        return f"{_SKLEARN}modules/generated/{page}.html{anchor}"
    return None


def link(app, env, node, contnode):
    """Answer Sphinx's question about a reference that it cannot resolve."""
    address = address_of(node.get("reftype"), node.get("reftarget", ""))
    if address is None:
        return None
    return nodes.reference("", "", contnode, internal=False, refuri=address)


def setup(app):
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
