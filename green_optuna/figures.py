"""Figures of a study, drawn with Plotly from plain tables."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from green_optuna.markup import shortened
from green_optuna.rules.words import in_words, listed
from green_optuna.sketch.axes import LOG_AXIS_FROM
from green_optuna.units import quantity_label, show_quantity
from green_optuna.urls import shown_data

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import pandas as pd
    import plotly.graph_objects as go

    from green_optuna.references import PlacedReference

# Colours of Okabe and Ito's palette, which colour-blind people can tell apart.
FRONT_COLOUR = "#009E73"
OTHERS_COLOUR = "#999999"
REFERENCE_COLOURS = {"published": "#D55E00", "estimated": "#0072B2"}

# Of a reference's name, in a figure: it may be of any length.
MAX_NAME = 40

# So many references that are not drawn are named below the figure, which leaves it its height.
MAX_NOT_DRAWN = 5


def is_logarithmic(values: Sequence[float]) -> bool:
    """Tell whether an axis of such values is logarithmic: they are positive and far apart."""
    return bool(values) and 0 < min(values) <= max(values) / LOG_AXIS_FROM


def front_figure(
    trials: pd.DataFrame,
    objectives: Sequence[str],
    *,
    study_name: str,
    references: Sequence[PlacedReference] = (),
    note: str = "",
) -> go.Figure:
    """Draw the trials of a study, its front marked, over its first two objectives.

    Args:
        trials: One row a trial: ``trial``, ``on_front``, a column for each objective, and ``step``
            where some are checkpoints.
        objectives: Names of one objective or more. The first goes upwards, the second to the
            right, the size of a point follows the third.
        study_name: Stands in the title.
        references: Results from elsewhere, drawn as diamonds of one size. Those that lack a value
            for an axis are named below the figure instead.
        note: Stands below the title.
    """
    import plotly.graph_objects as go

    upwards = objectives[0]
    rightwards = objectives[1] if len(objectives) > 1 else "trial"
    figure = go.Figure()
    for on_front, name, colour in (
        (False, "other trials", OTHERS_COLOUR),
        (True, "Pareto front", FRONT_COLOUR),
    ):
        part = trials[trials["on_front"] == on_front].sort_values(rightwards)
        figure.add_trace(
            go.Scatter(
                x=part[rightwards],
                y=part[upwards],
                name=name,
                # Over three objectives the members of a front lie on no line.
                mode="lines+markers" if on_front and len(objectives) == 2 else "markers",
                line={"shape": "hv", "color": colour, "width": 1},
                marker={
                    "color": colour,
                    "size": _sizes(part, trials, objectives),
                    "opacity": 0.9 if on_front else 0.45,
                    "line": {"color": "white", "width": 1},
                },
                text=[_hover(row, objectives) for row in part.to_dict("records")],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    logarithmic = {
        name: is_axis_logarithmic(trials[name], name, with_all(references, objectives[:2]))
        for name in (upwards, rightwards)
    }
    axes = {name: _axis(name, logarithmic=log) for name, log in logarithmic.items()}
    if len(objectives) > 1:
        drawn = [one for one in references if not why_not_drawn(one, logarithmic)]
        _draw_references(figure, drawn, rightwards=rightwards, upwards=upwards)
        _name_the_rest(figure, not_drawn(references, logarithmic))
    else:
        _draw_levels(figure, [one for one in references if upwards in one.values], upwards)
    figure.update_layout(
        title=f"Pareto front of {_as_text(study_name)}"
        + (f"<br><sub>{_escaped(note)}</sub>" if note else ""),
        template="plotly_white",
        xaxis=axes[rightwards],
        yaxis=axes[upwards],
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure


def _hover(row: Mapping[Hashable, Any], objectives: Sequence[str]) -> str:
    shown = [f"{quantity_label(name)}: {show_quantity(name, row[name])}" for name in objectives]
    step = row.get("step")  # in pandas's own way, there is none of a trial as it ended
    at_step = f" step {step}" if isinstance(step, int) else ""
    return "<br>".join([f"<b>trial {row['trial']}{at_step}</b>", *shown])


def _draw_references(
    figure: go.Figure, references: Sequence[PlacedReference], *, rightwards: str, upwards: str
) -> None:
    """Draw references into a figure, each basis as a trace of its own."""
    import plotly.graph_objects as go

    for basis, colour in REFERENCE_COLOURS.items():
        part = [one for one in references if one.basis == basis]
        if not part:
            continue
        figure.add_trace(
            go.Scatter(
                x=[one.values[rightwards] for one in part],
                y=[one.values[upwards] for one in part],
                name=basis,
                mode="markers+text",
                marker={
                    "color": colour,
                    "symbol": "diamond-open",
                    "size": 12,
                    "line": {"width": 2},
                },
                text=[_as_text(one.name) for one in part],
                textposition="top center",
                cliponaxis=False,  # a name may reach beyond the axes
                textfont={"color": colour},
                hovertext=[_reference_hover(one) for one in part],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )


def _reference_hover(one: PlacedReference) -> str:
    losses = [
        f"{quantity_label(name)}: {'not known' if value is None else show_quantity(name, value)}"
        for name, value in one.losses.items()
    ]
    said = [f"{one.basis}, no trial", one.source, *losses, one.status, *one.notes]
    return "<br>".join([f"<b>{_as_text(one.name)}</b>", *map(_escaped, filter(None, said))])


def _draw_levels(figure: go.Figure, references: Sequence[PlacedReference], upwards: str) -> None:
    """Draw references over one objective, in which each is a level that trials reach or not."""
    for one in references:
        figure.add_hline(
            y=one.values[upwards],
            line={"color": REFERENCE_COLOURS[one.basis], "dash": "dash", "width": 1},
            annotation={
                "text": f"{_as_text(one.name)} ({one.basis})",
                "font": {"color": REFERENCE_COLOURS[one.basis]},
            },
        )


def is_axis_logarithmic(
    values: Iterable[float], name: str, references: Iterable[PlacedReference]
) -> bool:
    """Tell whether an axis of trials and references is logarithmic.

    Args:
        values: What it shows of trials; what is not finite is not shown.
        name: The quantity.
        references: What it shows besides; what is 0 or less does not count.
    """
    others = (one.values.get(name, 0.0) for one in references)
    return is_logarithmic([*filter(math.isfinite, values), *(one for one in others if one > 0)])


def with_all(references: Sequence[PlacedReference], names: Iterable[str]) -> list[PlacedReference]:
    """Give the references of which all of these quantities are known: those of both axes, say."""
    return [one for one in references if one.values.keys() >= set(names)]


def why_not_drawn(one: PlacedReference, logarithmic: Mapping[str, bool]) -> str:
    """Say why a reference cannot be drawn; nothing where it can.

    Args:
        one: The reference.
        logarithmic: Whether each axis is, by its quantity's name.
    """
    missing = [name for name in logarithmic if name not in one.values]
    if missing:
        return f"no {listed(map(in_words, missing), link='or')}"
    # A logarithmic axis has no place for it.
    zero = [name for name, log in logarithmic.items() if log and one.values[name] <= 0]
    return f"{listed(map(in_words, zero))} 0" if zero else ""


def not_drawn(references: Sequence[PlacedReference], logarithmic: Mapping[str, bool]) -> list[str]:
    """Name the references that cannot be drawn, and why: the first of them, and how many more."""
    whys = [(one, why_not_drawn(one, logarithmic)) for one in references]
    lines = [f"{shortened(one.name, MAX_NAME)} ({one.basis}; {why})" for one, why in whys if why]
    more = len(lines) - MAX_NOT_DRAWN
    return [*lines[:MAX_NOT_DRAWN], *([f"and {more} more"] if more > 0 else [])]


def _name_the_rest(figure: go.Figure, lines: Sequence[str]) -> None:
    """Name the references that cannot be drawn, and why, below the figure."""
    if not lines:
        return
    figure.add_annotation(
        text="Not drawn: " + "<br>".join(map(_escaped, lines)),
        showarrow=False,
        align="left",
        font={"size": 11},
        # Below the title of the axis.
        x=0,
        xref="paper",
        xanchor="left",
        y=0,
        yref="paper",
        yanchor="top",
        yshift=-45,
    )
    figure.update_layout(margin={"b": 70 + 15 * len(lines)})


def _as_text(name: str) -> str:
    """Give a name so that Plotly shows it as it is, and not too much of it."""
    return _escaped(shortened(shown_data(name), MAX_NAME))


def _escaped(text: str) -> str:
    """Give a text so that Plotly, which takes some tags and entities, shows it as it is.

    Passwords of addresses in it are hidden.
    """
    return html.escape(shown_data(text), quote=False)  # of quotes, it knows no entity


def _axis(name: str, *, logarithmic: bool) -> dict[str, object]:
    axis: dict[str, object] = {"title": quantity_label(name)}
    if logarithmic:
        axis |= {"type": "log", "dtick": 1, "exponentformat": "power"}
    return axis


def _sizes(
    part: pd.DataFrame, trials: pd.DataFrame, objectives: Sequence[str]
) -> Sequence[float] | float:
    """Give marker sizes in pixels, their area growing with the third objective."""
    if len(objectives) < 3:
        return 10.0
    third = objectives[2]
    finite = [value for value in trials[third].tolist() if 0 < value < math.inf]
    if not finite:
        return 10.0
    largest = max(finite)
    shares = [min(max(value, 0.0) / largest, 1.0) for value in part[third].tolist()]
    return [6.0 + 18.0 * share**0.5 for share in shares]
