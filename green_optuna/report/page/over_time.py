"""What the page shows of members of the front over time: their power, and quality for CO2e."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from green_optuna.plain import finite_or_none
from green_optuna.record import REPORTS_ATTRIBUTE, reports_from_rows
from green_optuna.terms import ATTRIBUTE
from green_optuna.units import show_quantity, with_micro_signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from green_optuna.energy import Trace
    from green_optuna.report.subject import Subject

# A trace is drawn with so many points at most, which keep its energy.
MOST_POINTS = 500

# So many curves, and so many traces, can be told from one another.
MOST_CURVES = 8

_NO_READING = (
    "Steps before the first reading of energy have no place on a logarithmic axis, and are not "
    "drawn."
)
_OF_RUNS = (
    "A figure shows all runs of its trial; elsewhere on this page, energy, CO2e and time of such a "
    "trial are means over its runs."
)
_OF_REPEATS = "Trials that repeat others are not in the figures, and are in the means elsewhere."
_OF_WHOLE = (
    "A figure shows the whole training; elsewhere, a saved step stands with what was spent by then."
)

_MEANS = (
    "Of a trial with several runs, and of one that others repeat, energy, CO2e and duration are "
    "means over the runs; what the search cost counts each run."
)


def traces_of(subject: Subject) -> list[dict[str, Any]]:
    """Give the power over time of members of the front, as far as it is known.

    Each has the row of its trial that comes first, a title that says what is drawn, and its series.
    """
    known = [number for number, trace in subject.traces.items() if len(trace)]
    rows = subject.first_rows()
    return [
        {
            "row": rows[number],
            "label": str(number),
            "title": _trace_title(subject, number),
            **_series(subject.traces[number]),
        }
        for number in subject.spread_along_front(known, MOST_CURVES)
    ]


def curves_of(subject: Subject, traces: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give what members of the front reported: quality over what they had spent by then.

    Args:
        subject: What the report is about.
        traces: Those that are drawn: the same trials come first.
    """
    grid = subject.candidates.grid
    if grid is None:
        return []
    rows, found = subject.first_rows(), []
    traced = [int(one["label"]) for one in traces]
    for number in subject.spread_along_front(_reporting(subject), MOST_CURVES, first=traced):
        trial = subject.candidates.trials[rows[number]]
        reports = reports_from_rows(trial.user_attrs[REPORTS_ATTRIBUTE])
        found.append(
            {
                "row": rows[number],
                "label": str(number),
                "step": [one.step for one in reports],
                "quality": [finite_or_none(one.quality) for one in reports],
                "co2e_kg": [grid.co2e_kg(one.energy_kwh) for one in reports],
                "t_s": [one.t_s for one in reports],
            }
        )
    return found


def traces_note(subject: Subject, traces: Sequence[Mapping[str, Any]]) -> str:
    """Say which trials of the front have no figure of power, and what a figure shows of one."""
    said = _not_shown(len(subject.first_rows()) - len(traces))
    drawn = [int(one["label"]) for one in traces]
    if any(subject.runs_of(number) > 1 for number in drawn):
        said.append(_OF_RUNS)
    if any(number in subject.candidates.repeats for number in drawn):
        said.append(_OF_REPEATS)
    if any(subject.steps_on_front(number) for number in drawn):
        said.append(_OF_WHOLE)
    return " ".join(said)


def curves_note(subject: Subject, content: Mapping[str, Any]) -> str:
    """Say which trials of the front have no curve, and which points of curves are not drawn.

    Args:
        subject: What the report is about.
        content: What the page's figures show: of it, the curves and which axes are logarithmic.
    """
    curves = content["curves"]
    reporting = len(_reporting(subject))
    said = _not_shown(reporting - len(curves))
    silent = len(subject.first_rows()) - reporting
    if silent:
        trials = "1 trial" if silent == 1 else f"{silent} trials"
        said.append(f"{trials} of the front reported nothing on the way.")
    before = any(kg <= 0 for one in curves for kg in one["co2e_kg"])
    if before and content["logarithmic"].get("co2e_kg"):
        said.append(_NO_READING)
    return " ".join(said)


def runs_note(subject: Subject) -> str:
    """Say which figures of the table are means; nothing where each trial ran once."""
    candidates = subject.candidates
    repeated = candidates.repeats or any(
        trial.user_attrs.get(ATTRIBUTE, {}).get("runs", 1) > 1 for _, trial in candidates.ended
    )
    return _MEANS if repeated else ""


def _not_shown(count: int) -> list[str]:
    if count <= 0:
        return []
    trials = "1 more trial" if count == 1 else f"{count} more trials"
    return [f"{trials} of the front {'is' if count == 1 else 'are'} not shown."]


def _reporting(subject: Subject) -> list[int]:
    """Number the front's trials that reported something on the way."""
    trials = subject.candidates.trials
    rows = subject.first_rows()
    return [number for number in rows if trials[rows[number]].user_attrs.get(REPORTS_ATTRIBUTE)]


def _trace_title(subject: Subject, number: int) -> str:
    """Say what a trace came to and how long it is, and of what it is: of runs, of a training."""
    trace, choice = subject.traces[number], subject.choice
    energy = with_micro_signs(show_quantity("energy_kwh", float(trace.energy_kwh[-1])))
    said = f"{energy} in {show_quantity('duration_s', float(trace.t_s[-1]))}"
    runs, steps = subject.runs_of(number), subject.steps_on_front(number)
    if runs > 1:
        said += f", all {runs} runs"
    elif steps:
        said += ", the whole training"
    chosen = choice is not None and choice.number == number
    if choice is not None and chosen and choice.step is not None:
        return f"Trial {number}: {said}; step {choice.step} is the choice"
    if len(steps) == 1:
        said += f"; step {steps[0]} is on the front"
    elif steps:
        said += f"; {len(steps)} of its steps are on the front"
    return f"Trial {number}{' (the choice)' if chosen else ''}: {said}"


def _series(trace: Trace) -> dict[str, list[float | None]]:
    trace = trace.thinned(MOST_POINTS)
    columns = {"t_s": trace.t_s, "cpu_w": trace.cpu_w, "gpu_w": trace.gpu_w, "ram_w": trace.ram_w}
    return {name: _rounded(values.tolist()) for name, values in columns.items()}


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Give values to a millionth: a picture, of which the exact figures are elsewhere."""
    return [round(value, 6) if math.isfinite(value) else None for value in values]
