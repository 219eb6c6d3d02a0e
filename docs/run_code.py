"""Run the Python blocks of the guide while the site is built, and show what they print and draw.

The blocks of a page (``.. code-block:: python``) are one program, run in a folder of its own with
some pictures of pets. ``.. code-block:: py`` is shown and not run. tests/test_docs.py runs the
same programs on small data. Where a program needs data that are neither here nor can be downloaded,
the page goes without that output; any other error stops the build.
"""

import contextlib
import fnmatch
import io
import tempfile
import warnings
from pathlib import Path

from docutils import nodes
from sphinx.directives.code import CodeBlock
from sphinx.errors import ExtensionError
from sphinx.util import logging

_PAGES = ("getting_started", "faq", "works_with", "user_guide/*")
_FOLDER = "_output"
_SAVED_DPI, _SHOWN_DPI = 160, 80  # sharp on screens with two pixels for each of CSS

_logger = logging.getLogger(__name__)


class Program:
    """The blocks of one page, run one after another."""

    def __init__(self, page, pictures):
        self.page, self.pictures = page, pictures
        self.folder = tempfile.TemporaryDirectory(prefix="skcifar-docs-")
        self.names, self.n_figures, self.misses_data = {}, 0, False
        _write_pets(Path(self.folder.name))

    def run(self, code, line):
        """Run a block, and return what it printed and the figures that it drew."""
        printed = io.StringIO()
        # A traceback shows the line of the page.
        compiled = compile("\n" * line + code, f"{self.page}.rst", "exec")
        with _a_screen_of_paper(), contextlib.chdir(self.folder.name):
            try:
                with contextlib.redirect_stdout(printed):
                    exec(compiled, self.names)
            except Exception as error:
                # A search makes an error of its own of an `OSError` in its fits. Later blocks miss
                # what a block made that went without its data.
                is_offline = isinstance(error, OSError) or "SKCIFAR_OFFLINE" in str(error)
                if not (is_offline or self.misses_data):
                    raise
                self.misses_data = True
                _logger.info(f"{self.page}: no output, {error}")
            return printed.getvalue(), list(self._figures())

    def _figures(self):
        import matplotlib.pyplot as plt

        for figure in map(plt.figure, plt.get_fignums()):
            self.n_figures += 1
            path = self.pictures / f"{self.page.replace('/', '-')}-{self.n_figures}.png"
            path.parent.mkdir(exist_ok=True)
            figure.savefig(path, dpi=_SAVED_DPI, bbox_inches="tight")
            yield path, _titles(figure)
        plt.close("all")


class RunCodeBlock(CodeBlock):
    """A block of code with its output below."""

    def run(self):
        shown = super().run()
        page = self.env.docname
        if self.arguments != ["python"] or not any(fnmatch.fnmatch(page, p) for p in _PAGES):
            return shown
        printed, figures = self._program(page).run("\n".join(self.content), self.content_offset)
        if printed.strip():
            shown.append(_text(printed.rstrip()))
        return shown + [_figure(path, alt) for path, alt in figures]

    def _program(self, page):
        programs = self.env.app.programs_of_pages
        if page not in programs:
            programs[page] = Program(page, Path(self.env.srcdir) / _FOLDER)
        return programs[page]


@contextlib.contextmanager
def _a_screen_of_paper():
    """Draw nothing on a screen; warnings that are shown to users stop the build."""
    import matplotlib.pyplot as plt

    with warnings.catch_warnings(), plt.rc_context({"figure.max_open_warning": 0}):
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        yield


def _write_pets(folder):
    """Write pictures of cats and dogs, or of what is there instead, for the pages on folders."""
    from PIL import Image

    from skcifar.datasets import fetch_example_data

    data = fetch_example_data(n_train=1200, n_test=100)
    names = list(data.target_names)
    pets = [names.index(name) if name in names else n for n, name in enumerate(("cat", "dog"))]
    for label, name in zip(pets, ("cat", "dog"), strict=True):
        (folder / "pets" / name).mkdir(parents=True)
        for number, image in enumerate(data.X_train[data.y_train == label]):
            Image.fromarray(image).save(folder / "pets" / name / f"{number:03d}.png")
    Image.fromarray(data.X_test[data.y_test == pets[0]][0]).save(folder / "new.jpg")


def _text(printed):
    node = nodes.literal_block(printed, printed, classes=["output"])
    node["language"] = "none"
    return node


def _figure(path, alt):
    import matplotlib.image

    width = matplotlib.image.imread(path).shape[1] * _SHOWN_DPI // _SAVED_DPI
    uri = f"/{_FOLDER}/{path.name}"
    return nodes.image("", uri=uri, alt=alt, width=f"{width}px", classes=["output-figure"])


def _titles(figure):
    titles = [figure.get_suptitle(), *(ax.get_title() for ax in figure.axes)]
    titles += [ax.get_ylabel() for ax in figure.axes]
    named = "; ".join(dict.fromkeys(title.replace("\n", ", ") for title in titles if title))
    return f"Figure drawn by the code above: {named[:200]}" if named else "Figure drawn by the code"


def _close(app, *_):
    for program in app.programs_of_pages.values():
        program.folder.cleanup()
    app.programs_of_pages = {}


def _check_not_parallel(app):
    if app.parallel > 1:
        raise ExtensionError("the blocks of the guide are run one after another: leave out -j")


def setup(app):
    app.programs_of_pages = {}
    app.add_directive("code-block", RunCodeBlock, override=True)
    app.connect("builder-inited", _check_not_parallel)
    app.connect("env-updated", _close)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
