"""The marks of the figures, as the legend shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from green_optuna.report.subject import Subject

_CIRCLE: Final = '<circle cx="8" cy="8" r="5" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
_SHAPES: Final = {
    "dot": _CIRCLE,
    "ring": _CIRCLE,
    "square": '<rect x="3.5" y="3.5" width="9" height="9" fill="{fill}" stroke="{colour}" '
    'stroke-width="1.6"/>',
    "cross": '<path d="M4 4l8 8M12 4l-8 8" stroke="{colour}" stroke-width="1.6"/>',
    "diamond": '<path d="M8 2l6 6-6 6-6-6z" fill="{fill}" stroke="{colour}" stroke-width="1.8"/>',
    "star": '<path d="M8 1l2 5h5l-4 3.2 1.5 5.3L8 11.3 3.5 14.5 5 9.2 1 6h5z" fill="{colour}" '
    'stroke="var(--ink)" stroke-width=".8"/>',
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the figures, and what it means.

    Attributes:
        shape: One of dot, ring, square, cross, diamond and star.
        colour: A colour of the page's style, by its name.
        words: What it means.
    """

    shape: str
    colour: str
    words: str

    @property
    def svg(self) -> str:
        """The mark as SVG."""
        colour = f"var(--{self.colour})"
        fill = colour if self.shape in ("dot", "square") else "none"
        inside = _SHAPES[self.shape].format(colour=colour, fill=fill)
        return f'<svg viewBox="0 0 16 16" aria-hidden="true">{inside}</svg>'


def marks_of(subject: Subject, content: dict[str, Any]) -> list[Mark]:
    """Give the marks that the figures of a study have."""
    drawn, feasible = content["drawn"], subject.candidates.feasible
    bases = {one.basis for one in subject.references}
    known = [
        (content["chosen"] is not None, Mark("star", "choice", "the choice")),
        (drawn["front"], Mark("dot", "front", "on the front")),
        (drawn["may_be"], Mark("ring", "front", "may be on the front (5 % probable or more)")),
        (any(feasible[row] for row in drawn["others"]), Mark("ring", "others", "other trials")),
        (
            not all(feasible[row] for row in drawn["others"]),
            Mark("cross", "others", "violates a constraint"),
        ),
        (
            subject.candidates.n_checkpoints,
            Mark("square", "front", "a saved step of a training, instead of its end"),
        ),
        ("published" in bases, Mark("diamond", "published", "published elsewhere")),
        ("estimated" in bases, Mark("diamond", "estimated", "estimated elsewhere")),
    ]
    return [mark for there, mark in known if there]
