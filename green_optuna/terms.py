"""On what terms a study measures, and whether a worker may join it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from green_optuna.carbon import Grid
from green_optuna.errors import DirectionsError, OptionError, TermsError
from green_optuna.quality import QualityBounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna

ATTRIBUTE = "green_optuna"
"""The attribute of a study, and of a trial, in Optuna's storage that is ours."""

LINKS_ATTRIBUTE = "green_optuna.links"
"""The attribute of a study that says how a person opens it in each tracker, by its name."""

CAP_CONSTRAINT = "green_optuna.cap."
"""With the name of a cost behind it, the constraint of a trial that a cap on it is."""

VERSION = 1
"""The version of what we keep there."""

DEFAULT_OBJECTIVES = ("quality_loss", "co2e_kg", "n_params")
INFERENCE_OBJECTIVES = ("inference_kwh", "flops", "peak_memory_bytes")
OBJECTIVES = (*DEFAULT_OBJECTIVES, "energy_kwh", "duration_s", *INFERENCE_OBJECTIVES)


def check_objectives(objectives: Iterable[str]) -> tuple[str, ...]:
    """Give the objectives as a tuple, if they can be used.

    Raises:
        OptionError: One is unknown or named twice, or there is none.
    """
    names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown or not names or len(set(names)) < len(names):
        raise OptionError(
            f"objectives is {names!r}: give each at most once, at least one of {OBJECTIVES}."
        )
    return names


def check_directions(study: optuna.Study, objectives: Sequence[str]) -> None:
    """Hold that a study minimises as many objectives as there are.

    Raises:
        DirectionsError: It does not; the message says how to make one that does.
    """
    directions = [direction.name.lower() for direction in study.directions]
    if directions != ["minimize"] * len(objectives):
        names = tuple(objectives)
        ours = set(names) <= set(OBJECTIVES)  # create_study takes no others
        make = f"green_optuna.create_study(..., objectives={names!r}), or with " if ours else ""
        raise DirectionsError(
            f"The study {study.study_name!r} has the directions {directions}, and the objectives "
            f"{names!r} are all minimised. Make it with {make}"
            f'optuna.create_study(directions=["minimize"] * {len(names)}).'
        )


def check_metric_names(study: optuna.Study, objectives: Sequence[str]) -> None:
    """Hold that a study whose objectives bear our names was made for these.

    Names of the user's own are left alone.

    Raises:
        TermsError: It was made for others; a value would stand under another's name.
    """
    named = tuple(study.metric_names or ())
    if named and named != tuple(objectives) and set(named) <= set(OBJECTIVES):
        raise TermsError(
            f"The study {study.study_name!r} was made for the objectives {named!r}, not for "
            f"{tuple(objectives)!r}: ask for the study's own, or use another study name."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTerms:
    """On what terms a study measures: its first trial writes them, every later worker compares.

    Attributes:
        key: Tells this study from any other of the same name, in the trackers.
        objectives: The names of the study's objectives, in order.
        quality_bounds: How a quality becomes a loss.
        grid: The one carbon intensity and PUE that turn energy into CO2e.
        host: The machine that the first trial ran on; another one does not stop a worker.
        fingerprint: That machine's hardware, as a short hash; empty where it was not kept.
        sources: Where the energy of each component came from in the first trial, in words.
    """

    objectives: tuple[str, ...]
    quality_bounds: QualityBounds
    grid: Grid
    key: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)
    host: str = field(default="", compare=False)
    fingerprint: str = field(default="", compare=False)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the terms as JSON keeps them."""
        return {
            "version": VERSION,
            "key": self.key,
            "objectives": list(self.objectives),
            "quality_bounds": [self.quality_bounds.worst, self.quality_bounds.best],
            "grid": self.grid.to_dict(),
            "host": self.host,
            "fingerprint": self.fingerprint,
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, terms: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_dict`."""
        return cls(
            key=terms["key"],
            objectives=tuple(terms["objectives"]),
            quality_bounds=QualityBounds(*terms["quality_bounds"]),
            grid=Grid.from_dict(terms["grid"]),
            host=terms["host"],
            fingerprint=terms.get("fingerprint", ""),
            sources=terms["sources"],
        )

    def agree(self, stored: StudyTerms, study_name: str) -> StudyTerms:
        """Give the stored terms, if trials on these terms can join the study.

        Raises:
            TermsError: They differ in objectives, quality bounds, carbon intensity or PUE.
        """
        ours, theirs = self._comparable(), stored._comparable()
        differing = [name for name in ours if ours[name] != theirs[name]]
        if differing:
            name = differing[0]
            raise TermsError(
                f"The study {study_name!r} was made with {name} = {theirs[name]}, and this "
                f"objective has {ours[name]}: its trials could not be compared. Use the "
                "study's own, or another study name."
            )
        return stored

    def otherwise_measured(self, stored: StudyTerms) -> str | None:
        """Say how measuring here differs from the study's first trial, or None if it does not.

        Energies of other hardware, or from other sources, are hard to compare, and a study may
        hold them all the same: each trial keeps its own. Machines that are alike compare.
        """
        if self.sources != stored.sources:
            here, there = ("; ".join(sorted(terms.sources.values())) for terms in (self, stored))
            return f"its energy comes from other sources ({here}) than the first trial's ({there})"
        known = bool(self.fingerprint and stored.fingerprint)
        alike = self.fingerprint == stored.fingerprint if known else self.host == stored.host
        if not alike:
            return f"it runs on {self._machine()}, and the first trial ran on {stored._machine()}"
        return None

    def _machine(self) -> str:
        return f"{self.host!r} (hardware {self.fingerprint or 'not kept'})"

    def _comparable(self) -> dict[str, object]:
        return {
            "objectives": self.objectives,
            "quality_bounds": (self.quality_bounds.worst, self.quality_bounds.best),
            "carbon_intensity_g_per_kwh": round(self.grid.carbon_intensity_g_per_kwh, 6),
            "pue": round(self.grid.pue, 6),
        }


def read_terms(study: optuna.Study) -> StudyTerms | None:
    """Give the terms that a study keeps, or None where green_optuna has not run in it yet."""
    stored = study.user_attrs.get(ATTRIBUTE)
    return None if stored is None else StudyTerms.from_dict(stored)


def read_links(study: optuna.Study) -> dict[str, str]:
    """Give how a person opens a study in what tracks it, in words, by the trackers' names."""
    return dict(study.user_attrs.get(LINKS_ATTRIBUTE, {}))
