"""Figure 3 of the paper: the fronts of training and of inference, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_optuna.drawing import drawn
from green_optuna.errors import OptionError
from green_optuna.figures import FRONT_COLOUR, OTHERS_COLOUR
from green_optuna.folders import write_atomically
from green_optuna.units import describe_quantity, quantity_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    import matplotlib.axes
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    from green_optuna.paper.reproduction import Front, Reproduction

_TITLES: Final = {"training": "Training", "inference": "Inference, by number of parameters"}
_LOSS: Final = "1 - %MOS"
_CAPTION: Final = (
    "Computed from the inputs of Douwes, Esling and Briot (2021). SampleRNN and GANSynth have no "
    "mean opinion score."
)
_FORMATS: Final = (".html", ".png", ".svg")


def save_figure(reproduction: Reproduction, path: Path) -> None:
    """Draw both fronts into a file, at once or not at all.

    Args:
        reproduction: The paper, computed anew.
        path: Ends in ``.html`` (Plotly, for which no internet is needed), ``.png`` or ``.svg``
            (Matplotlib).

    Raises:
        OptionError: The path ends otherwise, or cannot be written.
        MissingPackageError: Matplotlib is not installed.
    """
    kind = path.suffix.lower()
    if kind not in _FORMATS:
        raise OptionError(f"Cannot write {str(path)!r}: its name must end in .html, .png or .svg.")
    content: str | bytes
    if kind == ".html":
        content = plotly_figure(reproduction).to_html(include_plotlyjs=True)
    else:
        content = drawn(
            lambda figure: _draw_both(figure, reproduction),
            kind.lstrip("."),
            size_in=(10, 4.2),
            dpi=150,
            style={"svg.fonttype": "none"},
        )
    try:
        write_atomically(path, content)
    except OSError as error:
        raise OptionError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error


def plotly_figure(reproduction: Reproduction) -> go.Figure:
    """Draw both fronts with Plotly."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=1, cols=2, subplot_titles=[_TITLES[front.name] for front in reproduction.fronts]
    )
    for column, front in enumerate(reproduction.fronts, start=1):
        members = front.members
        for name, colour, models in _groups(front):
            named = {trace.name for trace in figure.data}
            figure.add_scatter(
                row=1,
                col=column,
                name=name,
                legendgroup=name,
                showlegend=name not in named,
                x=[front.points[model][1] for model in models],
                y=[front.points[model][0] for model in models],
                text=models,
                textposition="top right",
                mode="lines+markers+text" if models == members else "markers+text",
                line={"shape": "hv", "color": colour, "width": 1},
                marker={"color": colour, "size": 10},
                hovertext=[_hover(front, model) for model in models],
                hoverinfo="text",
            )
        most_loss, most_cost = _ranges(front)
        figure.update_xaxes(title=quantity_label(front.cost), range=[0, most_cost], col=column)
        figure.update_yaxes(title=_LOSS if column == 1 else None, range=[0, most_loss], col=column)
    figure.update_layout(
        template="plotly_white",
        legend={"orientation": "h", "y": 1.25, "x": 0},
        annotations=[
            *figure.layout.annotations,
            {
                "text": _CAPTION,
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": 0,
                "yshift": -80,
                "showarrow": False,
                "xanchor": "left",
                "font": {"size": 11},
            },
        ],
        margin={"b": 120},
    )
    return figure


def _draw_both(figure: Figure, reproduction: Reproduction) -> None:
    """Draw both fronts with Matplotlib."""
    for axes, front in zip(figure.subplots(1, 2, sharey=True), reproduction.fronts, strict=True):
        _draw(axes, front)
    figure.axes[0].set_ylabel(_LOSS)
    # The panel of inference has both kinds.
    figure.axes[1].legend(frameon=False)
    figure.supxlabel(_CAPTION, fontsize=8, color="#444444")


def _draw(axes: matplotlib.axes.Axes, front: Front) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set_title(_TITLES[front.name])
    for name, colour, models in _groups(front):
        x, y = ([front.points[model][at] for model in models] for at in (1, 0))
        if models == front.members:
            axes.step(x, y, where="post", color=colour, linewidth=1)
        axes.scatter(x, y, color=colour, label=name, zorder=3)
        for model in models:
            loss, cost = front.points[model]
            axes.annotate(model, (cost, loss), xytext=(6, 6), textcoords="offset points")
    axes.set_xlabel(quantity_label(front.cost))
    most_loss, most_cost = _ranges(front)
    axes.set_xlim(0, most_cost)
    axes.set_ylim(0, most_loss)
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.spines[["top", "right"]].set_visible(False)


def _groups(front: Front) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give what is drawn alike: the dominated models, then the front from its best model on."""
    members = front.members
    dominated = tuple(name for name in front.points if name not in members)
    if dominated:
        yield "dominated", OTHERS_COLOUR, dominated
    yield "Pareto front", FRONT_COLOUR, members


def _ranges(front: Front) -> tuple[float, float]:
    """Give up to where the axes go, of the loss and of the cost: names want room."""
    losses, costs = zip(*front.points.values(), strict=True)
    return 1.25 * max(losses), 1.25 * max(costs)


def _hover(front: Front, model: str) -> str:
    loss, cost = front.points[model]
    return f"<b>{model}</b><br>{_LOSS} {loss:.3f}<br>{describe_quantity(front.cost, cost)}"
