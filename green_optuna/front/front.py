"""The Pareto front of a study, and the model that a rule selects from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from green_optuna.candidates import Candidates
from green_optuna.checkpoints import label_of, name_of
from green_optuna.errors import EmptyStudyError, NoModelMeetsCapsError, OptionError
from green_optuna.figures import front_figure
from green_optuna.folders import write_atomically
from green_optuna.markup import pretty
from green_optuna.plain import finite_or_none
from green_optuna.provenance import Provenance, describe_mixture, is_mixed
from green_optuna.references import joint_rows, reference_rows
from green_optuna.report.choices import choices_of
from green_optuna.report.subject import Subject
from green_optuna.rules import as_rule
from green_optuna.selection import Selection
from green_optuna.trial_rows import trial_rows
from green_optuna.uncertainty import Uncertainty
from green_optuna.urls import shown_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import plotly.graph_objects as go
    from optuna.trial import FrozenTrial

    from green_optuna.energy import Trace
    from green_optuna.ledger import Ledger
    from green_optuna.references import PlacedReference
    from green_optuna.rules import Figure, Rule
    from green_optuna.uncertainty import WorthRepeating


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParetoFront:
    """The trials of a study that no other one dominates, all objectives minimised.

    Made by :func:`pareto_front`. A trial dominates another if it is no worse in every
    objective and better in one (Douwes et al. 2021, section 2.4).

    Attributes:
        candidates: All completed trials of the study, as arrays, and checkpoints if asked for.
        rows: The front's rows of ``candidates``, in the order of the trials' numbers.
        provenance: How the completed trials were measured: one group, unless they are mixed.
        references: Results from elsewhere, compared with the front. They are no trials: never
            members of the front, counted, or selected.
        assume_exact: Whether trials of which no error is known are taken as exact where others
            have one: see :attr:`probabilities`.
        uncertainty: What the trials' errors tell of the front, worked out when it is asked for.
    """

    candidates: Candidates
    rows: tuple[int, ...]
    provenance: tuple[Provenance, ...] = ()
    references: tuple[PlacedReference, ...] = ()
    assume_exact: bool = False
    uncertainty: Uncertainty = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Put off what the errors tell until somebody asks."""
        uncertainty = Uncertainty(self.candidates, assume_exact=self.assume_exact)
        object.__setattr__(self, "uncertainty", uncertainty)

    @property
    def study_name(self) -> str:
        """The name of the study."""
        return self.candidates.study_name

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives that the front is drawn over."""
        return self.candidates.objectives

    @property
    def trials(self) -> tuple[FrozenTrial, ...]:
        """The trials on the front, in the order of their numbers, read-only.

        Checkpoints, and repriced trials, are copies with the values and costs that are compared.
        """
        return tuple(self.candidates.trials[row] for row in self.rows)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the trials on the front, increasing; with checkpoints, some repeatedly."""
        return tuple(trial.number for trial in self.trials)

    @property
    def labels(self) -> tuple[str, ...]:
        """What tells each member from the others: ``"12"``, or ``"12 step 7"`` of a checkpoint."""
        return tuple(label_of(trial) for trial in self.trials)

    @property
    def ledger(self) -> Ledger:
        """What the study has spent, by how its trials ended, whatever the front is drawn over."""
        return self.candidates.ledger

    @property
    def mixed(self) -> bool:
        """Whether it compares energies that were not all measured alike.

        A front over the quality and the parameters alone compares none. Inference that was
        measured at another batch size, or on another device, is not measured alike either.
        """
        return is_mixed(self.provenance, self.objectives)

    @property
    def note(self) -> str | None:
        """What to know of a front that is mixed, repriced or with checkpoints; None of others."""
        mixture = [describe_mixture(self.provenance)] if self.mixed else []
        return " ".join([*mixture, *self.candidates.notes]) or None

    @property
    def probabilities(self) -> dict[int | str, float] | None:
        """How probable it is that each member is on the front, by its trial's number or label.

        The true objectives are drawn from what the trials' intervals tell (see
        :mod:`green_optuna.doubt`), and the probability is the share of the draws in which the
        trial is on the front. Always the same for the same trials. None where it cannot be told,
        since of some trial no error is known: ``front.uncertainty.reason`` says so in a sentence.
        """
        known = self.uncertainty.probabilities
        if known is None:
            return None
        names = (name_of(trial) for trial in self.trials)
        return dict(zip(names, known[list(self.rows)].tolist(), strict=True))

    def __len__(self) -> int:
        """How many trials are on the front."""
        return len(self.rows)

    def __str__(self) -> str:
        """Say how many trials are on it, what to know of it, and what the search spent."""
        from green_optuna.displays import describe_front, describe_spending

        said = describe_front(self.candidates, self.rows), self.note
        return " ".join(filter(None, (*said, describe_spending(self.candidates))))

    def _repr_html_(self) -> str:
        """Show it in a notebook: its members, where they lie, and what the search spent."""
        from green_optuna.displays import front_html

        return front_html(
            self.candidates,
            self.rows,
            note=self.note,
            references=self.references,
            probabilities=self.uncertainty.probabilities,
        )

    _repr_pretty_ = pretty

    def select(
        self, rule: Rule | str | Figure | None = None, *, min_probability: float | None = None
    ) -> Selection:
        """Select one trial of the front.

        Args:
            rule: A rule, its name for the rule's defaults, or a function of your own as
                :class:`Custom` takes it. The default is ``Tolerance(0.01)``: the least CO2e
                within 1 % of the best quality, or the least energy where there is no CO2e.
            min_probability: Choose among the members alone that are on the front with at least
                this probability, above 0 and 1 at most.

        Raises:
            EmptyStudyError: There is no completed, feasible trial.
            NoModelMeetsCapsError: No trial meets the rule's caps, or is so probable.
            OptionError: The rule is unknown, or wants an objective that the front has not; or
                there is no telling how probable a member is.
        """
        chosen_by = as_rule(rule).fitted(self.objectives)
        if not self.rows:
            raise EmptyStudyError(
                f"The study {self.study_name!r} has no completed trial that meets its "
                "constraints: there is nothing to select from. Run more trials."
            )
        rows = self.rows
        if min_probability is not None:
            rows = self.uncertainty.probable(rows, min_probability)
        try:
            ranking = chosen_by.rank(self.candidates.losses[list(rows)], self.objectives)
        except NoModelMeetsCapsError as error:
            if min_probability is None:
                raise
            raise NoModelMeetsCapsError(
                f"of those on the front with a probability of {min_probability:g} or more, {error}"
            ) from error
        row = rows[ranking.chosen]
        return Selection(
            trial=self.candidates.trials[row],
            rule=chosen_by,
            objectives=self.candidates.values(row),
            study_name=self.study_name,
            ranking=ranking,
            candidates=self.candidates,
            front=self.rows,
            rows=rows,
            probability=self.uncertainty.of(row) if min_probability is not None else None,
            min_probability=min_probability,
        )

    def worth_repeating(self, rule: Rule | str | None = None) -> WorthRepeating:
        """Say which two trials are worth running again, to settle which one a rule chooses.

        The one that it chooses, and the one that it would most often choose instead over the draws
        of :attr:`probabilities`. Where those cannot be told, the one that it would choose if the
        first were not there.

        Args:
            rule: As for :meth:`select`.

        Raises:
            EmptyStudyError: There is no completed, feasible trial.
            NoModelMeetsCapsError: No trial meets the rule's caps.
            OptionError: The rule is unknown, or wants an objective that the front has not.
        """
        selection = self.select(rule)
        return self.uncertainty.worth_repeating(selection.rule, selection.row)

    def subject(
        self,
        rule: Rule | str | Figure | None = None,
        *,
        traces: Mapping[int, Trace] | None = None,
    ) -> Subject:
        """Give what a report of the front is about: what this rule and the others select, too.

        Args:
            rule: As for :meth:`select`.
            traces: Power over time, by the trial's number, as far as it is known.

        Raises:
            OptionError: The rule is unknown, or wants an objective that the front has not.
        """
        choices = choices_of(self.select, rule, n=len(self.rows), names=self.objectives)
        return Subject(
            candidates=self.candidates,
            rows=self.rows,
            provenance=self.provenance,
            references=self.references,
            uncertainty=self.uncertainty,
            choice=choices.choice,
            no_choice=choices.no_choice,
            others=choices.others,
            traces=traces or {},
        )

    def to_dataframe(self, *, dominated: bool = False, references: bool = False) -> pd.DataFrame:
        """Give one row a trial: its number, objectives, quality, energy and hyperparameters.

        Args:
            dominated: Also the completed trials that are not on the front.
            references: Also the references, where there are any, after the trials: ``kind`` says
                "trial", "published" or "estimated", ``name`` which one, and ``trial`` is empty.

        Returns:
            Columns ``trial``, ``step`` and ``checkpoint`` if checkpoints were asked for,
            ``on_front``, ``probability`` of being there where it can be told, one for each
            objective, ``quality``,
            ``energy_kwh``, ``duration_s``, ``basis``, ``host`` if the front is mixed,
            ``inference_kwh``, ``inference_s`` and ``flops`` (all of a sample) and
            ``peak_memory_bytes`` (of a call) where inference was measured, then ``param_...``;
            sorted by trial. Where functions ran several times in a trial, energy
            and duration are means over the runs, and ``..._low`` and ``..._high`` of an objective,
            which stand before the hyperparameters, are the ends of its confidence interval: of
            95 %, unless a quality came with another.
        """
        as_given = references and bool(self.references)
        rows = self._all_rows(dominated=dominated, references=references)
        return _frame(*rows, as_given=as_given)

    def to_csv(self, *, dominated: bool = True) -> str:
        """Give the trials, and the references, as the text of a CSV file.

        The columns are those of :meth:`to_dataframe`; passwords of addresses are hidden.

        Args:
            dominated: Also the completed trials that are not on the front.
        """
        columns, records = self._all_rows(dominated=dominated, references=True)
        shown = [{name: _shown(value) for name, value in record.items()} for record in records]
        frame = _frame(columns, shown, as_given=bool(self.references))
        return frame.to_csv(index=False, header=shown_data(columns), lineterminator="\n")

    def references_to_dataframe(self) -> pd.DataFrame:
        """Give one row a reference: what is known of it, and where it stands.

        Returns:
            Columns ``name``, ``basis``, one for each objective, one for each other quantity that
            is known of any, ``status``, ``source`` and ``notes``; in the order they were given.
        """
        import pandas as pd

        columns, records = reference_rows(self.references, self.objectives)
        return pd.DataFrame(records, columns=columns)

    def _all_rows(
        self, *, dominated: bool, references: bool
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Give the columns, and one record a trial or a reference, if those are asked for."""
        columns, records = self._table(dominated=dominated)
        if references and self.references:
            return joint_rows(columns, records, self.references)
        return columns, records

    def _table(self, *, dominated: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Give the columns, and one record a trial, which lacks what the trial has not."""
        rows = range(len(self.candidates.trials)) if dominated else self.rows
        columns, records = trial_rows(
            self.candidates, rows, on_front=set(self.rows), hosts=self.mixed
        )
        known = self.uncertainty.probabilities
        if known is not None:
            columns.insert(columns.index("on_front") + 1, "probability")
            for record, row in zip(records, rows, strict=True):
                record["probability"] = float(known[row])
        return columns, records

    def to_dict(self) -> dict[str, Any]:
        """Give the front as plain data, ready for JSON; None where there is no finite number.

        Passwords of addresses among the hyperparameters are hidden.
        """
        columns, records = self._table(dominated=False)
        plain: dict[str, Any] = {
            "study": self.study_name,
            "objectives": list(self.objectives),
            **self.candidates.summary(),
            "mixed": self.mixed,
            "note": self.note,
            "uncertainty": self.uncertainty.reason,
            "ledger": self.ledger.to_dict(),
            "trials": [
                {name: finite_or_none(record.get(name)) for name in columns} for record in records
            ],
        }
        if self.references:
            plain["references"] = [one.to_dict() for one in self.references]
        return {name: shown_data(one) for name, one in plain.items()}

    def plot(self) -> go.Figure:
        """Draw the front over the first two objectives, with Plotly.

        The other completed trials are drawn behind, in grey; the size of a point shows the third
        objective. References are diamonds that bear their names.
        """
        return front_figure(
            self.to_dataframe(dominated=True),
            self.objectives,
            study_name=self.study_name,
            references=self.references,
            note=str(self.candidates.repricing or ""),
        )

    def report(
        self,
        path: str | Path,
        *,
        rule: Rule | str | Figure | None = None,
        traces: Mapping[int, Trace] | None = None,
    ) -> Path:
        """Write the study as one page of HTML, at once or not at all: it opens from anywhere.

        It shows what was found, the fronts, what this rule and others choose, what the search
        cost, how it was measured, and all trials; about 5 MB, most of which draws the figures.

        Args:
            path: The file.
            rule: The rule that makes the choice, as for :meth:`select`.
            traces: Power over time of the front's members, by the trial's number, as trackers give
                them (``MLflowTracker().read_traces(front)``): the study itself keeps none.

        Returns:
            The path of the file.

        Raises:
            OptionError: The rule is unknown, or wants an objective that the front has not.
        """
        from green_optuna.report.page.html import page

        target = Path(path)
        write_atomically(target, page(self.subject(rule, traces=traces)))
        return target

    def save(self, path: str | Path) -> Path:
        """Write the front to a file, at once or not at all.

        Args:
            path: Ends in ``.json``, ``.csv`` or ``.html`` (the plot, which needs no internet); in
                ``.png``, ``.svg`` or ``.pdf`` (a figure for print over the first two objectives);
                in ``.md`` or ``.tex`` (the table of the front's members).

        Returns:
            The path of the file.

        Raises:
            OptionError: The path ends otherwise.
            EmptyStudyError: There is no member of the front to draw in a figure for print.
            MissingPackageError: Matplotlib is not installed, and a figure for print needs it.
        """
        from green_optuna.report.printed import FRONT_ENDINGS, front_file

        target = Path(path)
        text: str | bytes
        if target.suffix == ".json":
            text = json.dumps(self.to_dict(), indent=2)
        elif target.suffix == ".csv":
            text = self.to_csv()
        elif target.suffix == ".html":
            text = self.plot().to_html(include_plotlyjs=True)
        elif target.suffix in FRONT_ENDINGS:
            text = front_file(self.subject(), target.suffix)
        else:
            endings = ", ".join((".json", ".csv", ".html", *FRONT_ENDINGS))
            raise OptionError(f"Cannot write {str(path)!r}: its name must end in one of {endings}.")
        write_atomically(target, text)
        return target

    def save_figures(
        self,
        folder: str | Path,
        *,
        rule: Rule | str | Figure | None = None,
        formats: Sequence[str] = ("svg", "png"),
        width_in: float = 3.4,
        traces: Mapping[int, Trace] | None = None,
    ) -> list[Path]:
        """Write the figures and tables of a report for a paper, into a folder.

        The front over each pair of objectives, the power of its members over time, what the search
        spent and bought, which hyperparameters decided what; tables of the front, of what was spent
        and of what the rules choose as ``.md`` and ``.tex``.

        Args:
            folder: Where they go; it is made if need be, and files of these names are replaced.
            rule: As for :meth:`select`: what it selects is marked.
            formats: Of the figures: some of "png", "svg" and "pdf".
            width_in: How wide the figures are, in inches: 3.4 for one column, 7 for two, say.
            traces: Power over time, by the trial's number, as far as it is known.

        Returns:
            The paths of the files.

        Raises:
            OptionError: A format or the rule is unknown, or the width is none that could be read.
            MissingPackageError: Matplotlib is not installed.
        """
        from green_optuna.report.printed import save_figures

        subject = self.subject(rule, traces=traces)
        return save_figures(subject, folder, formats, width_in=width_in)


def _frame(
    columns: list[str], records: list[dict[str, Any]], *, as_given: bool = False
) -> pd.DataFrame:
    """Make a table of rows.

    Args:
        columns: Its columns.
        records: Its rows, which lack what they have not.
        as_given: Whether values stay what they are: else a whole number that is missing in some
            rows makes fractions of the others.
    """
    import pandas as pd

    if as_given:
        return pd.DataFrame(records, columns=columns, dtype=object)
    frame = pd.DataFrame(records, columns=columns)
    return frame.astype({"step": "Int64"}) if "step" in columns else frame


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a hyperparameter may be
    """Hide passwords of addresses in a value, which becomes a text unless it is a plain one."""
    plain = value is None or isinstance(value, (bool, int, float, np.generic))
    return value if plain else shown_data(str(value))
