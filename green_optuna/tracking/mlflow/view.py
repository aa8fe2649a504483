"""A saved view of a study in MLflow's pages: its trials as a table, and as charts.

MLflow keeps a view that somebody shares as a tag of the experiment and does not document its form,
which is that of the state of its runs page. The view is an extra: where MLflow will not take it, or
no longer reads it, nothing else depends on it.
"""

from __future__ import annotations

import base64
import json
import logging
import time
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from green_optuna.record import measurement_of
from green_optuna.tracking import series
from green_optuna.tracking.keys import MAX_KEY
from green_optuna.tracking.mlflow import schema
from green_optuna.urls import shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlflow import MlflowClient

    from green_optuna.front import ParetoFront

_logger = logging.getLogger("green_optuna")

TAG_PREFIX = "mlflow.sharedViewState."

# MLflow's own limit has grown to 20,000, and databases of older servers hold no more than this.
MAX_VALUE = 5000

# MLflow's pages drop it when somebody saves the view anew: what is theirs is then left alone.
MARK = {"made_by": "green_optuna"}

# The columns that MLflow always shows, with their widths in pixels.
_FIRST_COLUMNS = {"attributes.`Run Name`": 130, "runDateAndNestInfo": 140, "duration": 80}

# The sections of charts, each with the number of charts side by side. A chart's title is the key
# of its metric, which ends in its unit; what the steps are is said here.
_SCATTERS = "Quality against cost"
_PARALLEL = "Hyperparameters and objectives"
_TRACES = "Energy over seconds (W, kWh, kg CO2e)"
_REPORTS = "Reports over steps"
_SHOWN = {_SCATTERS: 2, _PARALLEL: 1, _TRACES: 3, _REPORTS: 3}

# The other charts that MLflow draws, one for each metric, are a click away.
_FOLDED = ("cost", "energy", "objective", "Model metrics", "System metrics")

_TRACE_KEYS = (
    "energy/cpu_w",
    "energy/gpu_w",
    "energy/cumulative_kwh",
    "energy/cumulative_co2e_kg",
)
_REPORT_KEYS = ("report/quality", "report/energy_kwh", "report/co2e_kg")


def page(experiment_id: str, study_key: str) -> str:
    """Give where the view of a study opens, as MLflow's addresses end.

    Args:
        experiment_id: The experiment that the study's runs are in.
        study_key: The study's key.
    """
    key = quote(study_key, safe="")
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={key}&compareRunsMode=CHART"


def save(client: MlflowClient, experiment_id: str, front: ParetoFront, study_key: str) -> None:
    """Save the view of a study, unless it is there as it should be, or somebody has changed it.

    A store that refuses it is none the worse, nor is anybody warned.
    """
    from mlflow.exceptions import MlflowException

    key = schema.key_for(TAG_PREFIX + study_key)
    try:
        kept = client.get_experiment(experiment_id).tags.get(key)
        value = tag_value(front, study_key, kept=kept, at_s=time.time())
        if value is not None:
            client.set_experiment_tag(experiment_id, key, value)
    except MlflowException as error:
        _logger.info(
            "The view of study %r was not saved in MLflow: %s",
            front.study_name,
            shown_text(str(error)),
        )


def tag_value(
    front: ParetoFront, study_key: str, *, kept: str | None = None, at_s: float
) -> str | None:
    """Give the view as MLflow keeps it, or None where what is kept stays.

    Args:
        front: The study's front.
        study_key: The study's key.
        kept: What MLflow keeps of it so far.
        at_s: Now, in s since the epoch.
    """
    before = _read(kept)
    if kept is not None and not MARK.items() <= before.items():
        return None
    params = _params(front)
    everywhere = _params(front, everywhere=True)
    while True:
        state = _packed(_state(front, study_key, params, everywhere))
        if before.get("state") == state:
            return None
        now_ms = int(at_s * 1000)
        view = {
            "name": series.shorten(front.study_name, MAX_KEY),
            "createdAt": before.get("createdAt", now_ms),
            "updatedAt": now_ms,
            "state": state,
            **MARK,
        }
        value = json.dumps(view)
        if len(value) <= MAX_VALUE or not params:
            return value
        # The names of the last hyperparameters: their values are on each trial's page.
        params = params[: len(params) // 2]
        everywhere = [name for name in everywhere if name in params]


def _read(kept: str | None) -> dict[str, Any]:
    try:
        view = json.loads(kept or "{}")
    except ValueError:
        return {}
    return view if isinstance(view, dict) else {}


def _packed(state: object) -> str:
    packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
    return "deflate;" + base64.b64encode(packed).decode("ascii")


def _params(front: ParetoFront, *, everywhere: bool = False) -> list[str]:
    """Give the hyperparameters of completed trials by their keys, in the order of appearance.

    Args:
        front: The study's front.
        everywhere: Only those of every trial: MLflow leaves out of a chart the runs that lack one.
    """
    trials = front.candidates.trials
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    keys = zip(names, schema.keyed(dict(names)), strict=True)
    return [
        key for name, key in keys if not everywhere or all(name in trial.params for trial in trials)
    ]


def _state(
    front: ParetoFront, study_key: str, params: Sequence[str], everywhere: Sequence[str]
) -> dict[str, Any]:
    """Give the state of MLflow's runs page."""
    first = front.objectives[0]
    columns = list(_columns(front.objectives, params))
    return {
        # Alone, the trials stand in one list; below the study's run they would be folded away.
        "searchFilter": (
            f"tags.`{schema.STUDY_KEY_TAG}` = '{study_key}' AND tags.`{schema.ROLE_TAG}` = 'trial'"
        ),
        "orderByKey": f"metrics.`objective/{first}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        # MLflow would put them in the order of their names, and cut those.
        "columnOrder": [*_FIRST_COLUMNS, *columns],
        "columnWidths": _FIRST_COLUMNS | {column: _width(column) for column in columns},
        # A chart that left out trials would not show the front.
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,
        "compareRunSections": _sections(),
        "compareRunCharts": list(_charts(front, everywhere)),
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }


def _columns(objectives: Sequence[str], params: Iterable[str]) -> Iterable[str]:
    yield from (f"metrics.`objective/{name}`" for name in objectives)
    yield "metrics.`quality`"
    yield from (f"params.`{key}`" for key in params)
    yield from (f"tags.`{tag}`" for tag in (schema.STATE_TAG, schema.FRONT_TAG, schema.CHOSEN_TAG))


def _width(column: str) -> int:
    """Give a column the width of its heading, in pixels, within reason."""
    heading = column.partition("`")[2]
    return max(80, min(24 + 7 * len(heading), 220))


def _sections() -> list[dict[str, Any]]:
    shown = [
        {"uuid": name, "name": name, "display": True, "isReordered": True, "columns": columns}
        for name, columns in _SHOWN.items()
    ]
    folded = [
        {"uuid": name, "name": name, "display": False, "isReordered": True} for name in _FOLDED
    ]
    return shown + folded


def _charts(front: ParetoFront, params: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Give the charts: the study's own, then the traces, and the reports."""
    objectives = front.objectives
    # The first objective is the quality's loss, unless somebody ordered them otherwise.
    y = "quality_loss" if "quality_loss" in objectives else objectives[0]
    for x in objectives:
        if x != y:
            yield {
                **_chart("SCATTER", _SCATTERS, uuid=f"SCATTER {x}"),
                "xaxis": {"key": f"objective/{x}", "type": "METRIC"},
                "yaxis": {"key": f"objective/{y}", "type": "METRIC"},
                "runsCountToCompare": 100,
            }
    yield {
        **_chart("PARALLEL", _PARALLEL),
        "selectedParams": list(params),
        # The last one gives the lines their colours: that of the quality says most.
        "selectedMetrics": [f"objective/{name}" for name in reversed(objectives)],
        "showAllRuns": False,
    }
    costs = [measurement_of(trial) for trial in front.trials]
    any_gpu = any(one.energy.gpu_kwh > 0 for one in costs if one is not None)
    for key in _TRACE_KEYS:
        if key != "energy/gpu_w" or any_gpu:
            yield _line_chart(_TRACES, key)
    for key in _REPORT_KEYS:
        yield _line_chart(_REPORTS, key)


def _line_chart(section: str, key: str) -> dict[str, Any]:
    return {
        **_chart("LINE", section, uuid=key),
        "metricKey": key,
        "selectedMetricKeys": [key],
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "selectedXAxisMetricKey": "",
        "range": {},
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _chart(kind: str, section: str, *, uuid: str | None = None) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": uuid or kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
    }
