"""The runs that one process has open in Weights & Biases, and what goes into them."""

from __future__ import annotations

import glob
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.locks import ProcessLock
from green_optuna.tracking import series
from green_optuna.tracking.front_note import FRONT_FILE, front_note
from green_optuna.tracking.patience import Patience
from green_optuna.tracking.wandb import schema

if TYPE_CHECKING:
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord
    from green_optuna.tracking.wandb.place import Place


@dataclass(slots=True, eq=False)
class Process:
    """What one process knows of its runs.

    Attributes:
        place: Where runs go, once it has been found.
        secrets: The API key, once it has been found.
        open_runs: The runs of trials, by id.
        study_runs: The runs of studies, by the study's key.
        digests: Of the studies that have an offline run, in order.
        runs_folder: The folder in which each run has one.
        project_page: The address of the project's page.
        patience: How long the server was waited for.
    """

    place: Place | None = None
    secrets: tuple[str, ...] = ()
    open_runs: dict[str, OpenRun] = field(default_factory=dict)
    study_runs: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, None] = field(default_factory=dict)
    runs_folder: Path | None = None
    project_page: str = ""
    pid: int = field(default_factory=os.getpid)
    fronts: ProcessLock = field(default_factory=ProcessLock)
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class OpenRun:
    """A trial's run that is still open, and how much of the trial has been logged."""

    run: Any
    step: int = -1
    reports: int = 0

    def log(self, trial: TrialRecord) -> None:
        """Log what is known of the trial and has not been logged yet."""
        self.run.config.update(schema.config(trial), allow_val_change=True)
        for row in schema.report_rows(trial, since=self.reports):
            self.run.log(row)
        self.reports = len(trial.reports)
        for row in schema.trace_rows(trial, after=self.step):
            self.run.log(row)
            self.step = int(row[schema.AXES["energy/*"]])

    def conclude(self, trial: TrialRecord) -> None:
        """Log what the trial came to, how it ended, and its trace as a file."""
        self.run.summary.update(schema.summary(trial))
        if trial.state in _TAGGED:
            self.run.tags = (*(self.run.tags or ()), trial.state)
        if trial.measurement is not None:
            _save(self.run, series.TRACE_FILE, series.trace_csv(trial.measurement))


# W&B itself knows finished, failed and crashed; what else there is, is a tag.
_TAGGED = ("pruned", "killed")


def log_front(run: Any, front: ParetoFront) -> None:  # noqa: ANN401 - a wandb.Run
    """Log a front to its study's run: a note, a table, a plot and JSON.

    Args:
        run: The run.
        front: The front.
    """
    import wandb
    from wandb.sdk.data_types._private import MEDIA_TMP

    # A child of os.fork that exits has taken it along.
    Path(MEDIA_TMP.name).mkdir(mode=0o700, exist_ok=True)
    columns, rows = schema.front_rows(front)
    said: dict[str, Any] = schema.study_row(front, at_s=time.time())
    said["front/table"] = wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
    # W&B draws it with its own Plotly: a page that brings its own along has 5 MB, each time.
    said["front/plot"] = wandb.Plotly(schema.front_plot(front))
    run.log(said)
    run.notes = front_note(front, limit=schema.MAX_TEXT)
    _save(run, FRONT_FILE, json.dumps(front.to_dict(), indent=2))


def _save(run: Any, name: str, text: str) -> None:  # noqa: ANN401 - a wandb.Run
    """Keep a file with a run, where W&B keeps its files: it is then neither copied nor linked."""
    path = Path(run.dir) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    run.save(glob.escape(str(path)), base_path=run.dir, policy="now")
