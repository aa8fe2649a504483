"""What a journal says of trials that had not ended when it was last written to."""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from green_optuna.energy import ComponentEnergy, Measurement, Trace
from green_optuna.energy.stored import sources_from_dict
from green_optuna.journal import file as journal_file
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from green_optuna.carbon import Grid
    from green_optuna.energy import Source


@dataclass(slots=True)
class LeftTrial:
    """What a journal says of a trial that had not ended.

    Attributes:
        number: The trial's number.
        host: The machine it ran on.
        pid: The process it ran in.
        started_at: When it started, in s since the epoch.
        run_ids: The run that each tracker opened for it.
        sources: Where its energy came from.
        fingerprint: What hardware it ran on.
        shared: Whether it ran beside others in its process.
        runs: How many runs of its function had begun.
        samples: Its age in s and its energy by then, increasing.
        after: What was spent for it after its window had closed.
    """

    number: int
    host: str
    pid: int
    started_at: float
    run_ids: Mapping[str, str]
    sources: Mapping[str, Source]
    fingerprint: str
    shared: bool = False
    runs: int = 1
    samples: list[tuple[float, ComponentEnergy]] = field(default_factory=list)
    after: ComponentEnergy = field(default_factory=ComponentEnergy)

    def measurement(self, grid: Grid) -> Measurement | None:
        """Give what it had spent at its last sample; None where there is none."""
        if not self.samples:
            return None
        t_s, energy = self.samples[-1]
        return Measurement(
            energy=energy,
            duration_s=t_s,
            grid=grid,
            sources=self.sources,
            host=self.host,
            fingerprint=self.fingerprint,
            shared=self.shared,
            runs=self.runs,
            trace=self._trace(),
        )

    def _trace(self) -> Trace:
        points = []
        for (from_s, before), (t_s, energy) in itertools.pairwise(
            [(0.0, ComponentEnergy()), *self.samples]
        ):
            spent = (energy - before).to_dict().values()
            powers_w = [joules_from_kwh(kwh) / (t_s - from_s) for kwh in spent]
            points.append((t_s, *powers_w, energy.total_kwh))
        return Trace.from_points(points)


def read_journal(path: Path) -> list[LeftTrial]:
    """Read the trials of a journal that had not ended; what is none of ours is passed over.

    Raises:
        OSError: The file cannot be read.
    """
    header: Mapping[str, Any] = {}
    trials: dict[int, LeftTrial] = {}
    for line in journal_file.read_lines(path):
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            if "version" in line:
                header = line
            elif "ended" in line:
                trials.pop(line["trial"], None)
            elif "t_s" in line:
                _add_sample(trials[line["trial"]], line)
            else:
                trials[line["trial"]] = _started(header, line)
    return list(trials.values())


def _started(header: Mapping[str, Any], line: Mapping[str, Any]) -> LeftTrial:
    return LeftTrial(
        number=int(line["trial"]),
        host=str(header["host"]),
        pid=int(header["pid"]),
        started_at=float(line["started_at"]),
        run_ids={str(name): str(run_id) for name, run_id in line["run_ids"].items()},
        sources=sources_from_dict(line["sources"]),
        fingerprint=str(line["fingerprint"]),
    )


def _add_sample(trial: LeftTrial, line: Mapping[str, Any]) -> None:
    t_s, energy = float(line["t_s"]), ComponentEnergy.from_dict(line["energy_kwh"])
    last_s = trial.samples[-1][0] if trial.samples else 0.0
    if "after_kwh" in line:
        after = ComponentEnergy.from_dict(line["after_kwh"])
        if _possible(after) and after.total_kwh >= trial.after.total_kwh:
            trial.after = after
    if last_s < t_s < math.inf and _possible(energy):
        trial.samples.append((t_s, energy))
        trial.started_at = float(line["at"]) - t_s
        trial.shared = bool(line["shared"])
        trial.runs = max(int(line.get("runs", 1)), 1)


def _possible(energy: ComponentEnergy) -> bool:
    return all(0 <= kwh < math.inf for kwh in energy.to_dict().values())
