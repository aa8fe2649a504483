"""The command ``report``: a study as one page of HTML."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from green_optuna.cli.options import (
    AssumeExactOption,
    CheckpointsOption,
    ObjectivesOption,
    StorageOption,
    StudyArgument,
)
from green_optuna.cli.render import say
from green_optuna.cli.spelling import amounts, flag, names_in, rule_options
from green_optuna.errors import OptionError, TrackerError
from green_optuna.folders import write_atomically
from green_optuna.record import run_ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.energy import Trace
    from green_optuna.front import ParetoFront
    from green_optuna.selection import Selection

# Where MLflow keeps runs unless it is told otherwise.
DEFAULT_STORE = Path("mlflow.db")


def report(
    *,
    study: StudyArgument = None,
    storage: StorageOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")
    ] = Path("report.html"),
    rule: Annotated[
        str | None, typer.Option(help="The rule that makes the choice; tolerance unless given.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="The rule's share of the best quality to give up.")
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="NAME=MOST",
            help="The most allowed of an objective, in its unit; may come several times.",
        ),
    ] = None,
    objectives: ObjectivesOption = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Results from elsewhere to compare with: a CSV file, as for front."
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="GRID",
            help="Show all CO2e as it would be on this grid, at the study's PUE: FRA, "
            "USA/california, world, or g/kWh.",
        ),
    ] = None,
    mlflow_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="MLflow's store, where the trials' energy over time is read from; "
            "$MLFLOW_TRACKING_URI, else sqlite:///mlflow.db if it is there, unless given.",
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write the figures for a paper into this folder, as SVG and PNG, and the "
            "tables, as LaTeX and Markdown.",
        ),
    ] = None,
    width: Annotated[
        float, typer.Option(metavar="INCHES", help="--figures: how wide a figure is.")
    ] = 3.4,
    checkpoints: CheckpointsOption = False,
    assume_exact: AssumeExactOption = False,
) -> None:
    """Write a study as one page: what was found, what it cost, and how far to trust it.

    It opens from a file, with no internet. Trials that were not all measured alike are shown, and
    the page says so first.
    """
    from green_optuna.cli.grid import grid_of_text, pue_of
    from green_optuna.cli.storage import find_study
    from green_optuna.config import RuleConfig
    from green_optuna.drawing import check_width
    from green_optuna.front import pareto_front
    from green_optuna.report.page.html import page
    from green_optuna.report.printed import save_figures

    if output.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--output is {str(output)!r}: the report is a page, name it .html.")
    if figures is not None:
        try:
            check_width(width)
        except OptionError as error:
            raise OptionError(str(error).replace("width_in", "--width")) from error
    asked = rule is not None or tolerance is not None or caps
    config = RuleConfig(name=rule or "tolerance", relative=tolerance, caps=amounts("--max", caps))
    found = find_study(study, storage)
    with rule_options(flag):
        front = pareto_front(
            found,
            names_in(objectives),
            grid=None if grid is None else grid_of_text(grid, pue=pue_of(found)),
            checkpoints=checkpoints,
            references=references or (),
            allow_mixed=True,
            assume_exact=assume_exact,
        )
        made = config.make(spell=flag) if asked else None
        # What each rule chooses takes a while in a large study: page and figures share it.
        subject = front.subject(made)
        subject = replace(subject, traces=_read_traces(front, subject.choice, mlflow_uri))
        if asked and subject.choice is None:
            say("warning: no trial is chosen; the page says why.")
        with _written(output):
            write_atomically(output, page(subject))
        typer.echo(str(output))
        if figures is not None:
            with _written(figures):
                written = save_figures(subject, figures, width_in=width)
            for path in written:
                typer.echo(str(path))


def _read_traces(front: ParetoFront, choice: Selection | None, uri: str | None) -> dict[int, Trace]:
    """Read energy over time of the front's trials from MLflow, where they were logged there.

    Raises:
        TrackerError: The store that was named is not there.
    """
    if not any(run_ids_of(trial).get("mlflow") for trial in front.trials):
        return {}
    if uri is None and not os.environ.get("MLFLOW_TRACKING_URI") and not DEFAULT_STORE.is_file():
        return {}
    from green_optuna.tracking import MLflowTracker

    try:
        return MLflowTracker(uri).read_traces(front, first=[choice.number] if choice else [])
    except TrackerError as error:
        if uri is not None:
            raise
        say(f"warning: the report is without energy over time. {error}")
        return {}


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Say where a file could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise OptionError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error
