"""A report as one HTML file: sections of a sentence and a figure, light and dark."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt

TEMPLATE = Path(__file__).with_name("report_template.html")

_INK, _PAPER = "#e4e8ec", "#16191d"  # the colours of the template's dark half
_DARK = {
    **{f"{what}.facecolor": _PAPER for what in ("figure", "axes", "savefig")},
    **{f"{what}.color": _INK for what in ("text", "xtick", "ytick")},
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "legend.facecolor": _PAPER,
    "patch.edgecolor": _PAPER,
}
_LARGE = {"font.size": 13, "legend.fontsize": 11}  # to be read at the width of a phone
_STYLES = {"light": _LARGE, "dark": {**_LARGE, **_DARK}}


@dataclass
class Section:
    """A step of the report.

    Parameters
    ----------
    title, sentence : str
        Plain text.
    draw : callable
        Draws and returns a matplotlib figure; it is called once for each style.
    caption, alt : str
        What the figure shows, and what it says to those who cannot see it.
    wide : bool, default=False
        Whether a phone shows it larger than the screen, to be scrolled.
    """

    title: str
    sentence: str
    draw: Callable
    caption: str
    alt: str
    wide: bool = False

    def html(self):
        width = "wide" if self.wide else "narrow"
        light, dark = (_as_data_url(self.draw, style) for style in _STYLES.values())
        return (
            f"<section>\n<h2>{escape(self.title)}</h2>\n<p>{escape(self.sentence)}</p>\n"
            f"<figure class='{width}'>\n<picture>"
            f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{escape(self.alt)}"></picture>\n'
            f"<figcaption>{escape(self.caption)}</figcaption>\n</figure>\n</section>"
        )


@dataclass
class Text:
    """A section without a figure: a sentence, then lines of code or the items of a list."""

    title: str
    sentence: str
    code: str = ""
    items: tuple = ()

    def html(self):
        code = f"<pre><code>{escape(self.code)}</code></pre>\n" if self.code else ""
        items = "\n".join(f"<li>{escape(item)}</li>" for item in self.items)
        return (
            f"<section>\n<h2>{escape(self.title)}</h2>\n<p>{escape(self.sentence)}</p>\n{code}"
            f"{f'<ul>{items}</ul>' if items else ''}</section>"
        )


def write_report(path, *, title, answer, source, numbers, sections):
    """Write a report.

    Parameters
    ----------
    path : Path
    title, answer, source : str
        The question, what came out, and what it was tried on.
    numbers : dict of str to str
        What the most important numbers mean, and the numbers.
    sections : list of Section or Text
    """
    listed = (f"<li><b>{escape(value)}</b>{escape(name)}</li>" for name, value in numbers.items())
    html = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        answer=escape(answer),
        source=escape(source),
        numbers="\n".join(listed),
        sections="\n".join(section.html() for section in sections),
    )
    path.write_text(html, encoding="utf-8")


def _as_data_url(draw, style):
    with plt.rc_context(style):
        figure = draw()
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110, bbox_inches="tight")
        plt.close(figure)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
