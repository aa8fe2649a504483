"""What to know before trusting a report: each with what to do, the most severe first."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from green_optuna.checkpoints import describe_checkpoints, label_of
from green_optuna.energy.stored import sources_from_dict
from green_optuna.provenance import describe_estimate, describe_mixture
from green_optuna.rules.words import listed
from green_optuna.selection import percent
from green_optuna.terms import ATTRIBUTE
from green_optuna.uncertainty import MAX_NAMED
from green_optuna.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from green_optuna.report.subject import Subject

FEW_TRIALS: Final = 29
"""From so many on, trials at random miss the best tenth of all settings in less than 1 of 20
searches: 0.9 ** 29 is 4.7 %."""

SETTLED_FROM: Final = 0.9
"""How probable it has to be that the choice is on the front."""

SETTLED_SHARE: Final = 0.75
"""In what share of the draws the rule has to choose it."""

_COMPONENTS: Final = {"cpu": "the processors", "gpu": "the accelerators", "ram": "the memory"}


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to know before trusting a report.

    Attributes:
        title: What it is, in a few words without a full stop.
        text: What follows and what to do, in a sentence or two.
    """

    title: str
    text: str


def cautions(subject: Subject) -> tuple[Caution, ...]:
    """Give what to know before trusting a report of the subject, the most severe first."""
    said = (
        _nothing_to_choose(subject),
        _no_choice(subject),
        _mixed(subject),
        _repriced(subject),
        _estimated(subject),
        _unsettled(subject),
        _few(subject),
        _no_error_known(subject),
        _infinite(subject),
        _not_measured(subject),
        _running(subject),
        _short(subject),
        _left_out(subject),
    )
    return tuple(one for one in said if one is not None)


def _nothing_to_choose(subject: Subject) -> Caution | None:
    candidates = subject.candidates
    if candidates.trials:
        return None
    if not candidates.ended:
        what_to_do = "wait, or run trials in it" if candidates.running else "run trials in it"
        return Caution("No trial has ended", f"There is nothing to show yet: {what_to_do}.")
    ends = Counter(entry.end for entry, _ in candidates.ended)
    return Caution(
        "No trial has completed",
        f"Of all that have ended, {listed(f'{n} {end}' for end, n in ends.items())}: the runs of "
        "the trials in what tracks them say why.",
    )


def _no_choice(subject: Subject) -> Caution | None:
    if subject.choice is not None or not subject.candidates.trials or not subject.no_choice:
        return None
    why = subject.no_choice.rstrip(".")
    return Caution("No trial is chosen", f"{why[:1].upper()}{why[1:]}.")


def _mixed(subject: Subject) -> Caution | None:
    if not subject.mixed:
        return None
    return Caution(
        "Not all trials were measured alike",
        f"{describe_mixture(subject.provenance)} Search on one kind of machine, or draw the front "
        "over objectives that hang on none, such as the quality and the parameters.",
    )


def _repriced(subject: Subject) -> Caution | None:
    repricing = subject.candidates.repricing
    if repricing is None:
        return None
    return Caution("CO2e is that of another grid", f"{repricing} No trial emitted what is shown.")


def _estimated(subject: Subject) -> Caution | None:
    """Say whether energy is a model's and no counter's, and how much of it."""
    measured = _kept(trial for _, trial in subject.candidates.ended)
    if not measured:
        return None
    if all(one["basis"] == "estimated" for one in measured):
        sources = {
            f"{component} {source[0]}": source
            for one in measured
            for component, source in one["sources"].items()
        }
        hosts = sorted({one["host"] for one in measured})
        where = f"on {hosts[0]!r}" if len(hosts) == 1 else f"on {len(hosts)} hosts"
        return Caution(
            "All energy is estimated", describe_estimate(sources_from_dict(sources), where=where)
        )
    names: dict[str, str] = {}
    amounts_kwh = []
    for one in measured:
        for component, (name, is_measured, *_) in one["sources"].items():
            if not is_measured:
                names.setdefault(name, _COMPONENTS.get(component, component))
                amounts_kwh.append(one["energy_kwh"].get(component, 0.0))
    if not names:
        return None
    whole_kwh = math.fsum(sum(one["energy_kwh"].values()) for one in measured)
    of_all = ""
    if whole_kwh > 0:
        share = percent(math.fsum(amounts_kwh) / whole_kwh)
        of_all = f", which is {share} of what the trials used"
    return Caution(
        "Energy is partly estimated",
        f"That of {listed(dict.fromkeys(names.values()))} is estimated ({'; '.join(names)})"
        f"{of_all}; green-optuna doctor says why, and what would mend it.",
    )


def _unsettled(subject: Subject) -> Caution | None:
    """Say that another trial may be the better choice, as far as errors tell."""
    choice, uncertainty = subject.choice, subject.uncertainty
    if choice is None or uncertainty.reason is not None:
        return None
    row = choice.row
    probability = uncertainty.of(row)
    worth = uncertainty.worth_repeating(choice.rule, row)
    said = []
    if probability is not None and probability < SETTLED_FROM:
        likely = percent(probability)
        said = [f"Trial {choice.label} is on the front with a probability of {likely}."]
    often_other = worth.chosen_share is not None and worth.chosen_share < SETTLED_SHARE
    if not worth.trials or not (said or often_other):
        return None
    numbers = " and ".join(map(str, worth.trials))
    said += [
        f"Chosen by {worth.reason}",
        f"To settle it, run {numbers} again: green-optuna repeat.",
    ]
    return Caution("The choice is not settled", " ".join(said))


def _few(subject: Subject) -> Caution | None:
    n = subject.candidates.n_completed
    if not 0 < n < FEW_TRIALS:
        return None
    trials = "1 trial has" if n == 1 else f"{n} trials have"
    return Caution(
        "Few trials",
        f"{trials} completed, and as many at random would all miss the best tenth of all settings "
        f"with a probability of {percent(0.9**n)}: run more, {FEW_TRIALS} or so at least.",
    )


def _no_error_known(subject: Subject) -> Caution | None:
    uncertainty = subject.uncertainty
    reason = uncertainty.reason
    if reason is None or not subject.rows:
        return None
    if subject.candidates.left_out is None and not uncertainty.partly_known:
        reason = "Each trial ran once, so that chance alone may explain small differences. "
        # The command repeat runs a decorated objective alone.
        reason += (
            "Run the best of them again before you trust their order."
            if subject.candidates.terms is None
            else "green-optuna repeat runs some again, and repeats= each of the next study."
        )
    return Caution("How much is chance is not known", reason)


def _infinite(subject: Subject) -> Caution | None:
    candidates = subject.candidates
    rows = np.flatnonzero(~np.isfinite(candidates.losses).all(axis=1))
    if not rows.size:
        return None
    labels = [label_of(candidates.trials[row]) for row in rows[:MAX_NAMED]]
    more = f" and {rows.size - MAX_NAMED} more" if rows.size > MAX_NAMED else ""
    trials = "Trial" if rows.size == 1 else "Trials"
    return Caution(
        "Not all objectives are finite",
        f"{trials} {', '.join(labels)}{more} completed with an objective that is no finite number, "
        "and no figure has a place for it: look for a training that diverged.",
    )


def _not_measured(subject: Subject) -> Caution | None:
    candidates, ledger = subject.candidates, subject.candidates.ledger
    if not ledger.not_measured:
        return None
    if candidates.terms is None:
        return Caution(
            "Nothing was measured",
            "green_optuna has measured no trial of this study, so that nobody knows what they "
            f"cost: {_why_nothing(subject)}.",
        )
    return Caution(
        "Not all trials were measured", f"{ledger.note()} The search cost more than is shown."
    )


def _why_nothing(subject: Subject) -> str:
    """Say what to do of a study in which green_optuna has left nothing."""
    decorate = "decorate its objective with green_objective"
    if not all(entry.end == "failed" for entry, _ in subject.candidates.ended):
        return decorate
    # One that did not fit the study failed before anything could be measured.
    return f"{decorate}, or, if it is decorated, see by which error its trials failed"


def _running(subject: Subject) -> Caution | None:
    """Say how many trials are in no figure, since they run, or their process is gone."""
    n = len(subject.candidates.running)
    if not n:
        return None
    one = n == 1
    trials = "1 trial has" if one else f"{n} trials have"
    said = f"{trials} begun and not ended, and what {'it has' if one else 'they have'} used so far "
    said += "is in no figure here."
    if subject.candidates.terms is not None:
        gone = "its process is gone" if one else "the process of one is gone"
        said += f" If {gone}, green-optuna sync on that machine counts what it had used."
    return Caution("Not all trials have ended", said)


def _short(subject: Subject) -> Caution | None:
    """Say how many trials lasted no longer than it takes to get one new reading."""
    measured = _kept(one for entry, one in subject.candidates.ended if entry.end == "complete")
    short_s = [
        resolution_s for one in measured if one["duration_s"] <= (resolution_s := _resolution(one))
    ]
    if not short_s:
        return None
    n = len(short_s)
    return Caution(
        f"{'Some trials' if n < len(measured) else 'Trials'} are too short to measure well",
        f"{n} of {len(measured)} completed trials lasted no longer than it takes to get a new "
        f"reading ({format_duration(max(short_s))}), so that their energy is known roughly: train "
        "for longer, or ask for repeats=.",
    )


def _left_out(subject: Subject) -> Caution | None:
    candidates = subject.candidates
    if candidates.left_out is None:
        return None
    said = describe_checkpoints(candidates.n_checkpoints, candidates.left_out)
    return None if said is None else Caution("Not all checkpoints are compared", said)


def _kept(trials: Iterable[FrozenTrial]) -> Sequence[Mapping[str, Any]]:
    """Give what is kept of each of some trials that was measured."""
    kept = [one.user_attrs.get(ATTRIBUTE, {}) for one in trials]
    return [one for one in kept if "energy_kwh" in one]


def _resolution(kept: Mapping[str, Any]) -> float:
    """Give how long the slowest source takes to give a new figure, in s; 0 where none says."""
    sources = sources_from_dict(kept["sources"]).values()
    return max((source.resolution_s for source in sources), default=0.0)
