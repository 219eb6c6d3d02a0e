"""What a constructor parameter may be, and one wording for the error when it is not."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np


@dataclass(frozen=True)
class Constraint:
    """A condition on a parameter, with the words that complete "must be ..."."""

    words: str
    holds: Callable[[object], bool]

    def __or__(self, other):
        return Constraint(
            f"{self.words} or {other.words}",
            lambda value: self.holds(value) or other.holds(value),
        )


def integer(low, high=math.inf):
    """Return the constraint "an int in [low, high]"; a bool is no int."""
    return Constraint(
        f"an int of at least {low}" if high == math.inf else f"an int from {low} to {high}",
        lambda value: (
            isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high
        ),
    )


def real(low, high=math.inf, *, low_open=False):
    """Return the constraint "a number in [low, high)", open below if `low_open`."""
    return Constraint(
        f"a number in {'(' if low_open else '['}{low}, {high})",
        lambda value: (
            _is_real(value) and (low < value if low_open else low <= value) and value < high
        ),
    )


def option(*values):
    """Return the constraint that a parameter is one of a few strings, bools or None."""
    words = " or ".join(repr(value) for value in values)
    return Constraint(words, lambda value: any(value is v or _same(value, v) for v in values))


def satisfying(words, holds):
    """Return a constraint of your own."""
    return Constraint(words, holds)


def tuple_of(constraint):
    """Return the constraint "a tuple of ..."; a list does as well."""
    return Constraint(
        f"a tuple, each element {constraint.words}",
        lambda value: isinstance(value, (tuple, list)) and all(map(constraint.holds, value)),
    )


def instance(words, *types):
    """Return the constraint that a parameter is an instance of `types`."""
    return Constraint(words, lambda value: isinstance(value, types))


PATH = instance("a path", str, os.PathLike)
VERBOSE = option(False, True) | integer(0)


def check_parameters(estimator, constraints):
    """Raise if a constructor parameter of `estimator` is not what `constraints` allow.

    Parameters
    ----------
    estimator : BaseEstimator
    constraints : dict of str to Constraint
        In the order of the constructor.

    Raises
    ------
    ValueError
        Names the parameter, the estimator, what is allowed and what was given.
    """
    values = {name: getattr(estimator, name) for name in constraints}
    check_values(type(estimator).__name__, values, constraints)


def check_values(owner, values, constraints):
    """Raise if one of `values` of the parameters of `owner`, a name, is not as constrained."""
    for name, constraint in constraints.items():
        if not constraint.holds(values[name]):
            raise ValueError(
                f"The {name!r} parameter of {owner} must be {constraint.words}. "
                f"Got {values[name]!r} instead."
            )


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _same(value, other):
    """Whether `value` is the string or, as NumPy's grids give them, the bool `other`."""
    kind = np.bool_ if isinstance(other, bool) else str
    return isinstance(value, kind) and value == other
