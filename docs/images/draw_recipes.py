"""Draw recipes.svg from the first table of the guide's page on accuracy: mirror images counted.

Run ``python docs/images/draw_recipes.py`` after the table has changed.
"""

import math
import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "user_guide" / "accuracy.rst"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 360, 56, 180, 16, 312
_LINE = 18  # height of a label
_ACCURACY = "Test accuracy (mirror images averaged in)"


def recipes(page):
    """Return (name, minutes, test accuracy) of each row of the table that no quicker one beats."""
    cells = r"   \* - (.+)\n     - ([\d.]+)\n     - [\d.]+\n     - \**([\d.]+)\**\n"
    rows = re.findall(cells, page)
    rows = [(name.strip("`"), float(minutes), float(test)) for name, minutes, test in rows]
    return [row for row in rows if not any(m < row[1] and t > row[2] for _, m, t in rows)]


def draw(page):
    """Return the chart as SVG: test accuracy by minutes, the latter on a logarithmic scale."""
    rows = recipes(page)
    low = math.floor(min(test for *_, test in rows) * 50 - 0.2) / 50
    high = math.ceil(max(test for *_, test in rows) * 50 + 0.2) / 50
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100) if t <= 1.5 * max(m for _, m, _ in rows)]
    first, last = math.log(ticks[0]), math.log(max(ticks[-1], *(m for _, m, _ in rows)))

    def x(minutes):
        return _LEFT + (math.log(minutes) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(accuracy):
        return _BOTTOM - (accuracy - low) / (high - low) * (_BOTTOM - _TOP)

    spoken = "; ".join(f"{name}: {m:g} minutes, {test:g}" for name, m, test in rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{_ACCURACY} by minutes of training. {spoken}.">'
    ]
    grid = 'stroke-width="1" style="stroke: var(--pst-color-border)"'
    for step in range(round((high - low) / 0.02) + 1):
        level = low + 0.02 * step
        lines.append(f'<path d="M{_LEFT} {y(level):.0f}H{_WIDTH - _RIGHT}" {grid}/>')
        lines.append(_text(_LEFT - 8, y(level) + 5, f"{level:.2f}", "end"))
    lines += [_text(x(tick), _BOTTOM + 20, f"{tick:g}", "middle") for tick in ticks]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    lines.append(_text(middle, _BOTTOM + 42, "minutes of training, two cores", "middle"))
    lines.append(_text(_LEFT + 8, _TOP + 12, _ACCURACY, "start"))
    for name, minutes, test in rows:
        lines.append(
            f'<circle cx="{x(minutes):.0f}" cy="{y(test):.0f}" r="6" '
            'style="fill: var(--pst-color-primary)"/>'
        )
        # On the frontier of a crowded right half there is room at the left only, and so there is
        # where another point is at the right.
        crowded = any(m < minutes and y(t) < y(test) + _LINE for _, m, t in rows)
        left = x(minutes) > middle and not crowded
        left |= any(m > minutes and abs(y(t) - y(test)) < _LINE for _, m, t in rows)
        lines.append(
            _text(x(minutes) + (-11 if left else 11), y(test) + 5, name, "end" if left else "start")
        )
    return "\n".join([*lines, "</svg>\n"])


def _text(x, y, text, anchor):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text}</text>'


if __name__ == "__main__":
    Path(__file__).with_name("recipes.svg").write_text(draw(_PAGE.read_text()))
