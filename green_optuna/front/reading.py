"""The Pareto front of a study, read from what Optuna keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna import pareto
from green_optuna.candidates import read_candidates
from green_optuna.checkpoints import name_of
from green_optuna.errors import MixedStudyError
from green_optuna.front.front import ParetoFront
from green_optuna.provenance import describe_mixture, provenance_of
from green_optuna.references import place, read_references
from green_optuna.trial_rows import check_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from green_optuna.carbon import Grid
    from green_optuna.references import ReferenceTable


def pareto_front(
    study: optuna.Study,
    objectives: Sequence[str] | None = None,
    *,
    grid: Grid | None = None,
    checkpoints: bool = False,
    references: ReferenceTable = (),
    allow_mixed: bool = False,
    assume_exact: bool = False,
) -> ParetoFront:
    """Extract the Pareto front of a study.

    Over all objectives these are the trials of ``study.best_trials``: duplicates of a member
    are members, and trials that violate a constraint are left out.

    Args:
        study: A study whose objectives are minimised.
        objectives: Some of the study's objectives, to draw the front over those alone:
            ``("quality_loss", "co2e_kg")`` compares trainings, ``("quality_loss", "n_params")``
            inference, as in Douwes et al. 2021, figure 3. All unless given.
        grid: Reprice all CO2e for this grid, its PUE included, from the energy that each trial
            keeps; that of the study unless given.
        checkpoints: Also choose among the reported steps whose model was saved, of completed and
            pruned trials: ``trial.report(quality, step, checkpoint=path)``.
        references: Results from elsewhere to compare the front with, which change nothing of it:
            a table as :func:`read_references` reads it.
        allow_mixed: Compare trials all the same whose energies come from differing sources, or
            from differing hardware; the front then says so.
        assume_exact: Take trials of which no error is known as exact, where others have one, to
            tell how probable each member of the front is.

    A trial that others repeat (``green-optuna repeat``) has the runs of all, and these are no
    candidates of their own; ``study.best_trials`` sees each as it is.

    Raises:
        MixedStudyError: The front would compare energies that were not all measured alike.
        StudyError: The study does not say what its objectives are, maximises one, or gives one a
            name that its tables need for another column; or what it keeps cannot be repriced, or
            has no checkpoints.
        OptionError: The study has no such objective, or no checkpoint has one, or a reference
            cannot be used.
    """
    candidates = read_candidates(study, checkpoints=checkpoints).restrict(objectives)
    points = read_references(references)
    check_columns(candidates, references=bool(points))
    candidates = (candidates if grid is None else candidates.reprice(grid)).known()
    feasible = candidates.feasible.nonzero()[0]
    rows = feasible[pareto.non_dominated(candidates.losses[feasible])]
    terms = candidates.terms
    front = ParetoFront(
        candidates=candidates,
        rows=tuple(rows.tolist()),
        provenance=provenance_of(candidates.measured),
        references=place(
            points,
            candidates.objectives,
            front=candidates.losses[rows],
            numbers=[name_of(candidates.trials[row]) for row in rows],
            quality_bounds=terms.quality_bounds if terms else None,
            grid=candidates.grid,
            repriced=grid is not None,
        ),
        assume_exact=assume_exact,
    )
    if front.mixed and not allow_mixed:
        raise MixedStudyError(
            f"Study {study.study_name!r}: {describe_mixture(front.provenance)} Pass allow_mixed="
            "True (--allow-mixed on the command line) to compare them all the same."
        )
    return front
