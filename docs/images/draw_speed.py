"""Draw speed.svg, the chart of the landing page: python docs/images/draw_speed.py

The figures are those of the guide, and stand there with machine and commands. The colours are
those of the site's theme, light or dark; in the README, ones that are seen on both.
"""

from pathlib import Path

# (group, precision, times faster), by benchmarks/fit.py, grid_search.py and prediction.py --full.
MEASURED = (
    ("Fit, 50,000 images, 20 epochs", "float32", 36.1),
    ("Fit, 50,000 images, 20 epochs", "bfloat16", 50.2),
    ("Grid search, 10,000 images, 13 fits", "float32", 69),
    ("Predict, 10,000 images", "float32", 3.3),
    ("Predict, 10,000 images", "bfloat16", 7.2),
)
_PLAIN, _FAST, _WORDS = (
    f"var(--pst-color-{name}, {elsewhere})"
    for name, elsewhere in (
        ("text-muted", "#8b949e"),
        ("primary", "#0f8fa8"),
        ("text-base", "#7d8590"),
    )
)
_WIDTH, _LEFT, _ROW, _LONGEST = 540, 132, 26, 340


def draw():
    """Return the chart as SVG."""
    top, lines, group = 0, [], None
    largest = max(ratio for _, _, ratio in MEASURED)
    for name, precision, ratio in MEASURED:
        if name != group:
            top += 34 if group else 16
            lines.append(_text(0, top, name, weight="600"))
            top += 10
            lines += _bar(top, "Keras", 1, largest, color=_PLAIN)
            top += _ROW
            group = name
        lines += _bar(top, f"skcifar, {precision}", ratio, largest, color=_FAST)
        top += _ROW
    spoken = "; ".join(f"{name}, {precision}: {ratio} times" for name, precision, ratio in MEASURED)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {_WIDTH} {top + 4}" '
        'font-family="system-ui, sans-serif" font-size="14" '
        f'role="img" aria-label="How many times faster than plain Keras. {spoken}.">'
    )
    return "\n".join([head, *(f"  {line}" for line in lines), "</svg>\n"])


def _bar(top, label, ratio, largest, color):
    length = max(ratio / largest * _LONGEST, 3)
    yield _text(_LEFT - 8, top + 15, label, anchor="end")
    yield (
        f'<rect x="{_LEFT}" y="{top + 2}" width="{length:.0f}" height="{_ROW - 8}" rx="3" '
        f'style="fill: {color}"/>'
    )
    yield _text(_LEFT + length + 8, top + 15, f"{ratio:g} x", weight="600")


def _text(x, y, text, anchor="start", weight="400"):
    return (
        f'<text x="{x:.0f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" '
        f'style="fill: {_WORDS}">{text}</text>'
    )


if __name__ == "__main__":
    Path(__file__).with_name("speed.svg").write_text(draw())
