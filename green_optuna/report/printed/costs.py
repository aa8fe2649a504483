"""What trials drew over time, and what the search spent, for print, with Matplotlib."""

from __future__ import annotations

import functools
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from green_optuna.drawing import PrintFigure
from green_optuna.energy import COMPONENTS
from green_optuna.figures import FRONT_COLOUR, OTHERS_COLOUR
from green_optuna.ledger import name_row
from green_optuna.report.printed.axes import add_legend, add_note, lay_out_axis, note_height_in
from green_optuna.report.printed.plane import Quantity
from green_optuna.report.printed.typeset import name_in_print, unit_in_print
from green_optuna.units import Unit, fitting_unit, show_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from green_optuna.energy import Trace
    from green_optuna.energy.measurement import Component
    from green_optuna.ledger import Account, Ledger
    from green_optuna.report.subject import Subject

# So many trials are shown over time.
MAX_TRACES: Final = 6

# So many of the others are named.
_MOST_NAMED: Final = 12

# Into so many steps a trace is thinned, of which a column is not wide enough to show more.
_STEPS: Final = 150

# Colours of Okabe and Ito's palette, and a hatch each, for colours may be lost in print.
_PARTS: Final[Mapping[Component, tuple[str, str, str]]] = MappingProxyType(
    {
        "cpu": ("processor", "#0072B2", ""),
        "gpu": ("GPU", "#E69F00", "////"),
        "ram": ("memory", "#CC79A7", "...."),
    }
)
_ACCOUNTS: Final[Mapping[Account, tuple[str, str]]] = MappingProxyType(
    {
        "complete": (FRONT_COLOUR, ""),
        "pruned": ("#56B4E9", "////"),
        "failed": ("#D55E00", "xxxx"),
        "killed": ("#CC79A7", "...."),
        "overhead": (OTHERS_COLOUR, "----"),
    }
)


def trace_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give a figure of power over time, of up to six trials of the front, the chosen one first.

    The others are spread evenly over the front, from its best in the first objective on. The
    power's axis is one for all. There is no figure where no member's trace is known.
    """
    known = [number for number, trace in subject.traces.items() if len(trace)]
    shown = subject.spread_along_front(known, MAX_TRACES)
    if not shown:
        return
    note, n_rows = _note(subject, shown), functools.partial(_n_rows, len(shown))
    yield PrintFigure(
        name="traces",
        title=f"Power over time of trials of {name_in_print(subject.candidates.study_name)}",
        draw=functools.partial(_draw_traces, subject=subject, shown=shown, note=note),
        height_in=lambda width_in: 0.6 + 0.95 * n_rows(width_in) + note_height_in(note, width_in),
    )


def ledger_figures(subject: Subject) -> Iterator[PrintFigure]:
    """Give a figure of what the search spent, by account, as one bar; none where it spent nothing.

    In CO2e, or in energy where the study does not know what it emits.
    """
    ledger = subject.candidates.ledger
    if ledger.energy_kwh > 0:
        yield PrintFigure(
            name="ledger",
            title=f"What the search {name_in_print(subject.candidates.study_name)} cost",
            draw=functools.partial(_draw_ledger, ledger=ledger),
            height_in=lambda width_in: 1.2 if width_in < 5 else 1.0,
        )


def _note(subject: Subject, shown: Sequence[int]) -> str:
    """Name the trials of the front that are not shown, and say of what the others' traces are."""
    said = []
    hidden = sorted({*subject.first_rows()} - {*shown})
    if hidden:
        named = ", ".join(map(str, hidden[:_MOST_NAMED]))
        more = f" and {len(hidden) - _MOST_NAMED} more" if len(hidden) > _MOST_NAMED else ""
        said.append(f"Not drawn: {'trial' if len(hidden) == 1 else 'trials'} {named}{more}.")
    if any(subject.runs_of(number) > 1 for number in shown):
        said.append("All runs of a trial are drawn.")
    if any(subject.steps_on_front(number) for number in shown):
        said.append("Whole trainings are drawn, also where a saved step is on the front.")
    return " ".join(said)


def _draw_traces(figure: Figure, *, subject: Subject, shown: Sequence[int], note: str) -> None:
    columns = min(_n_columns(figure.get_figwidth()), len(shown))
    grid = figure.subplots(math.ceil(len(shown) / columns), columns, sharey=True, squeeze=False)
    traces = [subject.traces[number] for number in shown]
    power, time = _trace_axes(traces)
    has_gpu = any(trace.gpu_w.any() for trace in traces)
    parts = [name for name in COMPONENTS if name != "gpu" or has_gpu]
    panels = grid.ravel().tolist()
    tops = []
    for place, (axes, number, trace) in enumerate(zip(panels, shown, traces, strict=False)):
        lay_out_axis(axes.xaxis, time, most_ticks=5)
        lay_out_axis(axes.yaxis, power, most_ticks=4)
        tops.append(_draw_trace(axes, trace, parts, units=(time.unit, power.unit)))
        axes.set_title(_trace_title(subject, number), fontsize=7, loc="left", pad=3)
        is_lowest = place + columns >= len(shown)
        axes.set(xlabel=time.label if is_lowest else "", ylabel="")
    # The axis is shared: one limit for all, and a little room above.
    panels[0].set_ylim(0, 1.05 * max(tops) or 1)
    for axes in panels[len(shown) :]:
        axes.remove()
    figure.supylabel(power.label, fontsize=8)
    add_legend(figure)
    add_note(figure, note)


def _trace_title(subject: Subject, number: int) -> str:
    energy_kwh = float(subject.traces[number].energy_kwh[-1])
    energy, _, symbol = show_quantity("energy_kwh", energy_kwh).partition(" ")
    chosen = subject.choice is not None and subject.choice.number == number
    return f"trial {number}{' (chosen)' if chosen else ''}, {energy} {unit_in_print(symbol)}"


def _trace_axes(traces: Sequence[Trace]) -> tuple[Quantity, Quantity]:
    """Choose one unit of power and one of time for all traces."""
    most_w = max(float((one.cpu_w + one.gpu_w + one.ram_w).max()) for one in traces)
    longest_s = max(float(one.t_s[-1]) for one in traces)
    return (
        Quantity(name="power_w", unit=fitting_unit("power_w", most_w)),
        Quantity(name="time_s", unit=fitting_unit("time_s", longest_s)),
    )


def _draw_trace(
    axes: Axes, trace: Trace, parts: Sequence[Component], *, units: tuple[Unit, Unit]
) -> float:
    """Draw the power of each component over time, one on top of another; give where it ends."""
    time, power = units
    parts_w = {"cpu": trace.cpu_w, "gpu": trace.gpu_w, "ram": trace.ram_w}
    ends_s, *steps_w = _thinned(trace.t_s, *(parts_w[name] for name in parts))
    edges = np.concatenate([[0.0], ends_s]) * time.factor
    base = np.zeros(len(ends_s))
    for name, step_w in zip(parts, steps_w, strict=True):
        label, colour, hatch = _PARTS[name]
        top = base + step_w * power.factor
        axes.stairs(
            top,
            edges,
            baseline=base,
            fill=True,
            facecolor=colour,
            edgecolor="white",
            linewidth=0,
            hatch=hatch,
            label=label,
        )
        base = top
    axes.set_xlim(0, float(edges[-1]))
    return float(base.max())


def _thinned(
    t_s: npt.NDArray[np.float64], *powers_w: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """Give the ends of fewer steps and the mean powers over them: the energy stays as it is.

    Args:
        t_s: The ends of the steps in s, from 0 on, in the shape of (n_points,).
        powers_w: Mean powers over the steps in W, in the same shape.
    """
    if len(t_s) <= _STEPS:
        return [t_s, *powers_w]
    ends_s = np.linspace(0, t_s[-1], _STEPS + 1)
    since_s = np.concatenate([[0.0], t_s])
    spans_s = np.diff(since_s)
    joules = (np.concatenate([[0.0], np.cumsum(power_w * spans_s)]) for power_w in powers_w)
    return [
        ends_s[1:],
        *(np.diff(np.interp(ends_s, since_s, one)) / np.diff(ends_s) for one in joules),
    ]


def _draw_ledger(figure: Figure, *, ledger: Ledger) -> None:
    axes = figure.subplots()
    name = "co2e_kg" if ledger.co2e_kg > 0 else "energy_kwh"
    total = ledger.co2e_kg if name == "co2e_kg" else ledger.energy_kwh
    quantity = Quantity(name=name, unit=fitting_unit(name, total))
    spent = 0.0
    for row in ledger.rows:
        if row.energy_kwh <= 0:
            continue
        colour, hatch = _ACCOUNTS[row.account]
        width = total * ledger.share(row) * quantity.unit.factor
        axes.barh(
            0,
            width,
            left=spent,
            height=0.8,
            color=colour,
            edgecolor="white",
            linewidth=0.6,
            hatch=hatch,
            label=f"{name_row(row)} ({ledger.share(row):.1%})",
        )
        spent += width
    lay_out_axis(axes.xaxis, quantity)
    axes.set(xlim=(0, spent), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    add_legend(figure)


def _n_rows(n_panels: int, width_in: float) -> int:
    return math.ceil(n_panels / _n_columns(width_in))


def _n_columns(width_in: float) -> int:
    return 2 if width_in < 5 else 3
