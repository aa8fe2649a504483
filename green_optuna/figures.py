"""Figures of a study, drawn with Plotly from plain tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from green_optuna.units import quantity_label, show_quantity

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pandas as pd
    import plotly.graph_objects as go

# Two colours of Okabe and Ito's palette, which colour-blind people can tell apart.
FRONT_COLOUR = "#009E73"
OTHERS_COLOUR = "#999999"

# From this ratio of the largest to the smallest value on, an axis is logarithmic.
LOG_AXIS_FROM = 20.0


def front_figure(trials: pd.DataFrame, objectives: Sequence[str], *, study_name: str) -> go.Figure:
    """Draw the trials of a study, its front marked, over its first two objectives.

    Args:
        trials: One row a trial: ``trial``, ``on_front`` and a column for each objective.
        objectives: Names of one objective or more. The first goes upwards, the second to the
            right, the size of a point follows the third.
        study_name: Stands in the title.
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
    figure.update_layout(
        title=f"Pareto front of {study_name}",
        template="plotly_white",
        xaxis=_axis(rightwards, trials[rightwards]),
        yaxis=_axis(upwards, trials[upwards]),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure


def _hover(row: Mapping[Hashable, Any], objectives: Sequence[str]) -> str:
    shown = [f"{quantity_label(name)}: {show_quantity(name, row[name])}" for name in objectives]
    return "<br>".join([f"<b>trial {row['trial']}</b>", *shown])


def _axis(name: str, values: pd.Series[float]) -> dict[str, object]:
    """Lay out an axis: logarithmic where the values are positive and far apart."""
    axis: dict[str, object] = {"title": quantity_label(name)}
    if len(values) > 0 and 0 < values.min() <= values.max() / LOG_AXIS_FROM:
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
