"""``green-optuna front`` and ``green-optuna select``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from green_optuna.cli import render
from green_optuna.cli.render import Format
from green_optuna.cli.storage import find_study
from green_optuna.errors import OptionError
from green_optuna.front import pareto_front

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from green_optuna.cli.deploy import Deployment
    from green_optuna.rules import Rule


def show_front(
    study_name: str | None,
    storage: str | None,
    objectives: Sequence[str] | None,
    *,
    references: Path | None,
    dominated: bool,
    checkpoints: bool,
    allow_mixed: bool,
    assume_exact: bool,
    output: Format,
) -> None:
    """Show the front of a study.

    Args:
        study_name: The study; None for the only one in the storage.
        storage: The URL of its storage.
        objectives: Some of the study's objectives; None for all.
        references: A CSV file of results from elsewhere to compare with; None for none.
        dominated: Whether to show the trials that are not on the front, too.
        checkpoints: Whether to compare reported steps whose model was saved, too.
        allow_mixed: Whether to compare trials that were not all measured alike.
        assume_exact: Whether to take trials of which no error is known as exact.
        output: How to write it.

    Raises:
        OptionError: There is no such study, storage or objective, or the references cannot be
            used.
        StudyError: The study cannot be used.
    """
    found = find_study(study_name, storage)
    front = pareto_front(
        found,
        objectives,
        checkpoints=checkpoints,
        references=references or (),
        allow_mixed=allow_mixed,
        assume_exact=assume_exact,
    )
    if output is Format.table:
        render.show(render.front_table(front, dominated=dominated))
        if front.references:
            render.show(render.references_table(front))
        render.show(render.ledger_table(front.ledger))
        render.say_links(found)
    else:
        typer.echo(render.front_text(front, output, dominated=dominated), nl=False)


def show_selection(
    study_name: str | None,
    storage: str | None,
    rule: Rule | None,
    *,
    why: bool,
    checkpoints: bool,
    min_probability: float | None,
    allow_mixed: bool,
    assume_exact: bool,
    output: Format,
    deploy: Deployment | None = None,
) -> None:
    """Show the trial that a rule selects from the front of a study.

    Args:
        study_name: The study; None for the only one in the storage.
        storage: The URL of its storage.
        rule: The rule; None for the default.
        why: Whether to say, too, why each other trial of the front was not selected.
        checkpoints: Whether to choose among reported steps whose model was saved, too.
        min_probability: Choose among the members alone that are so probable; None among all.
        allow_mixed: Whether to choose among trials that were not all measured alike. That they
            are is then said on standard error.
        assume_exact: Whether to take trials of which no error is known as exact.
        output: How to write it.
        deploy: Where its model and its card are to go; None for nowhere.

    Raises:
        OptionError: There is no such study or storage, or it lacks an objective of the rule; why
            is asked for as CSV, which has one row.
        NoModelMeetsCapsError: No trial meets the rule's caps, or is so probable.
        StudyError: The study cannot be used.
    """
    if why and output is Format.csv:
        raise OptionError(
            "--why goes with --format table or json: CSV has the selected trial alone."
        )
    found = find_study(study_name, storage)
    front = pareto_front(
        found, checkpoints=checkpoints, allow_mixed=allow_mixed, assume_exact=assume_exact
    )
    selection = front.select(rule, min_probability=min_probability)
    if front.note is not None:
        render.say(f"warning: {front.note}")
    if output is Format.table:
        render.show(render.selection_table(selection))
        if why:
            render.show(render.others_table(selection))
    else:
        typer.echo(render.selection_text(selection, output, why=why), nl=False)
    if deploy is not None:
        deploy.carry_out(selection)
