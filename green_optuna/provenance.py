"""How the trials of a study were measured, and whether their figures compare.

Energies of other hardware, or from other sources (a counter here, an estimate there), differ by
more than the models do. Machines that are alike may share a study, such as the nodes of a
cluster: what counts is the hardware's fingerprint, not the machine's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from green_optuna.checkpoints import each_once
from green_optuna.inference import call_in_words
from green_optuna.record import INFERENCE
from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from optuna.trial import FrozenTrial

    from green_optuna.energy import Source

# Objectives that hang on the machine and on how it is measured, and those that hang on how a model
# is called.
_MEASURED_OBJECTIVES = frozenset({"co2e_kg", "energy_kwh", "duration_s", "inference_kwh"})
_CALLED_OBJECTIVES = frozenset({"inference_kwh", "peak_memory_bytes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How some trials of a study were measured: all of them alike.

    Attributes:
        sources: Where the energy of each component came from, in words, by component.
        fingerprint: The hardware, as a short hash; empty where none was kept.
        hosts: The names of the machines, sorted.
        n_trials: How many trials were measured so.
        inference: How their models were called to measure inference, in words; empty where that
            was not done.
    """

    sources: tuple[tuple[str, str], ...]
    fingerprint: str
    hosts: tuple[str, ...]
    n_trials: int
    inference: str = ""

    def __str__(self) -> str:
        """Say how many trials were measured how, and where."""
        trials = "1 trial" if self.n_trials == 1 else f"{self.n_trials} trials"
        sources = "; ".join(dict.fromkeys(name for _, name in self.sources)) or "no source"
        hosts = ", ".join(map(repr, self.hosts))
        said = f"{trials} by {sources} on {hosts} (hardware {self.fingerprint or 'not kept'})"
        return f"{said}, inference of {self.inference}" if self.inference else said


def provenance_of(trials: Sequence[FrozenTrial]) -> tuple[Provenance, ...]:
    """Group trials by how they were measured: sources, hardware, and calls of their models.

    Args:
        trials: Trials of one study. Those that were not measured are left out, and one that is
            there several times, as it was at some of its steps, counts once.

    Returns:
        The groups, the one of the first trial first.
    """
    kept = [trial.user_attrs.get(ATTRIBUTE, {}) for trial in each_once(trials)]
    measured = [one for one in kept if "energy_kwh" in one]
    # A trial of before fingerprints were kept is taken for one like its host's others.
    known = {one["host"]: one["fingerprint"] for one in measured if one.get("fingerprint")}
    hosts: dict[tuple[tuple[tuple[str, str], ...], str, str, str], list[str]] = {}
    for one in measured:
        host = one["host"]
        fingerprint = one.get("fingerprint") or known.get(host, "")
        called = _called(one.get(INFERENCE))
        key = (_names(one["sources"]), fingerprint, "" if fingerprint else host, called)
        hosts.setdefault(key, []).append(host)
    return tuple(
        Provenance(
            sources=sources,
            fingerprint=fingerprint,
            hosts=tuple(sorted(set(names))),
            n_trials=len(names),
            inference=called,
        )
        for (sources, fingerprint, _, called), names in hosts.items()
    )


def is_mixed(groups: Sequence[Provenance], objectives: Collection[str]) -> bool:
    """Tell whether objectives compare figures that were not all measured alike.

    The quality, the parameters and the operations hang on no measurement; the memory of a call
    hangs on its batch size, and not on the machine.
    """
    machines = {(group.sources, group.fingerprint or group.hosts) for group in groups}
    calls = {group.inference for group in groups}
    return (len(machines) > 1 and not _MEASURED_OBJECTIVES.isdisjoint(objectives)) or (
        len(calls) > 1 and not _CALLED_OBJECTIVES.isdisjoint(objectives)
    )


def describe_mixture(groups: Sequence[Provenance]) -> str:
    """Say in a sentence how trials that were not all measured alike were measured."""
    return (
        "The completed trials were not all measured alike, so their costs may not compare: "
        f"{', and '.join(map(str, groups))}."
    )


def describe_estimate(sources: Mapping[str, Source], *, where: str = "on this host") -> str:
    """Say in a sentence what follows where no component's energy is measured.

    Args:
        sources: Where the energy of each component comes from.
        where: Which machine it is about.
    """
    follows_cpu_time = any(source.follows_cpu_time for source in sources.values())
    follows = (
        "CPU time and wall-clock time"
        if follows_cpu_time
        else "a model of the host rather than what it draws"
    )
    names = "; ".join(dict.fromkeys(source.name for source in sources.values()))
    return (
        f"Energy is estimated {where} ({names}), so CO2e follows {follows}; "
        "green-optuna doctor says why, and what would mend it."
    )


def _called(inference: Mapping[str, Any] | None) -> str:
    """Say how a model was called, from what a trial keeps: of GPUs, any that are alike."""
    if inference is None:
        return ""
    device = re.sub(r"^(\w+):\d+", r"\1", inference["device"])
    return call_in_words(inference["batch_size"], device)


def _names(sources: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, str], ...]:
    """Give the sources' names from what a trial keeps, whose first item each is."""
    return tuple(sorted((component, str(kept[0])) for component, kept in sources.items()))
