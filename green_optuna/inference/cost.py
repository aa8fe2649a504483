"""What a model's inference costs, as a result that can be kept and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from green_optuna.energy.stored import measurement_from_dict, measurement_to_dict
from green_optuna.intervals import Interval
from green_optuna.models.flops import FlopCount
from green_optuna.units import (
    format_bytes,
    format_co2e,
    format_count,
    format_energy,
    format_latency,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy import Basis, Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceCost:
    """What it costs to run a model on one sample.

    Energy is without PUE, as everywhere. What was not measured, or cannot be told of such a
    model, is None.

    Attributes:
        energy_kwh: Energy of a sample in kWh, all components, with its confidence interval over
            the runs; None where there were no runs.
        duration_s: Time of a sample in s: that of a call by its samples; likewise.
        batch_size: How many samples one call takes.
        n_samples: How many samples were measured, in all runs.
        device: Where the model ran, in words: "cuda:0 (NVIDIA H100 80GB HBM3)".
        measurement: What finding out cost in all, warm-up and counting included; its trace is
            empty. None where there were no runs.
        flops: Floating-point operations of one call; None where the model is no torch module.
        peak_memory_bytes: The most memory that one call held, in bytes; likewise.
        n_params: All parameters of the model; likewise.
    """

    energy_kwh: Interval | None
    duration_s: Interval | None
    batch_size: int
    n_samples: int
    device: str
    measurement: Measurement | None
    flops: FlopCount | None
    peak_memory_bytes: int | None
    n_params: int | None

    @property
    def inference_kwh(self) -> float | None:
        """Mean energy of a sample, in kWh; None where it was not measured."""
        return None if self.energy_kwh is None else self.energy_kwh.mean

    @property
    def co2e_kg(self) -> float | None:
        """CO2e of a sample in kg, PUE included; None where it was not measured."""
        if self.energy_kwh is None or self.measurement is None:
            return None
        return self.measurement.grid.co2e_kg(self.energy_kwh.mean)

    @property
    def called(self) -> str:
        """How the model was called, in words: ``"32 in a call on cpu (AMD EPYC)"``."""
        return call_in_words(self.batch_size, self.device)

    @property
    def values(self) -> dict[str, float]:
        """What is known, by the names that objectives and columns bear.

        ``inference_kwh`` and ``inference_s`` are of a sample, ``flops`` too, and
        ``peak_memory_bytes`` is of a call.
        """
        found = {
            "inference_kwh": self.inference_kwh,
            "inference_s": None if self.duration_s is None else self.duration_s.mean,
            "flops": None if self.flops is None else self.flops.per_sample,
            "peak_memory_bytes": self.peak_memory_bytes,
        }
        return {name: value for name, value in found.items() if value is not None}

    @property
    def basis(self) -> Basis | None:
        """Whether the energy was measured by hardware, estimated by a model, or partly each."""
        return None if self.measurement is None else self.measurement.basis

    @property
    def shared(self) -> bool:
        """Whether trials or other measurements ran beside it, and shared what was used."""
        return self.measurement is not None and self.measurement.shared

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, ready for JSON; small enough for a study's storage."""
        energy_kwh, duration_s, flops = self.energy_kwh, self.duration_s, self.flops
        measured = self.measurement
        return {
            "energy_kwh": None if energy_kwh is None else energy_kwh.to_dict(),
            "duration_s": None if duration_s is None else duration_s.to_dict(),
            "batch_size": self.batch_size,
            "n_samples": self.n_samples,
            "device": self.device,
            "measurement": None if measured is None else measurement_to_dict(measured),
            "flops": None if flops is None else flops.to_dict(),
            "peak_memory_bytes": self.peak_memory_bytes,
            "n_params": self.n_params,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Undo :meth:`to_dict`."""
        energy_kwh, duration_s = kept["energy_kwh"], kept["duration_s"]
        measured, flops = kept["measurement"], kept["flops"]
        return cls(
            energy_kwh=None if energy_kwh is None else Interval(**energy_kwh),
            duration_s=None if duration_s is None else Interval(**duration_s),
            batch_size=kept["batch_size"],
            n_samples=kept["n_samples"],
            device=kept["device"],
            measurement=None if measured is None else measurement_from_dict(measured),
            flops=None if flops is None else FlopCount.from_dict(flops),
            peak_memory_bytes=kept["peak_memory_bytes"],
            n_params=kept["n_params"],
        )

    def __str__(self) -> str:
        """Say it in a sentence, with scaled units."""
        parts = [*self._measured_parts(), *self._counted_parts()]
        said = f"A sample, {self.called}: {', '.join(parts)}."
        return said if self.basis is None else f"{said} Energy is {self.basis}."

    def _measured_parts(self) -> list[str]:
        energy_kwh, duration_s, co2e_kg = self.energy_kwh, self.duration_s, self.co2e_kg
        if energy_kwh is None or duration_s is None or co2e_kg is None:
            return ["not measured"]
        low, high = format_energy(energy_kwh.low), format_energy(energy_kwh.high)
        interval = f"{energy_kwh.confidence:.0%} interval {low} to {high}"
        return [
            f"{format_energy(energy_kwh.mean)} ({interval})",
            f"CO2e {format_co2e(co2e_kg)}",
            format_latency(duration_s.mean),
        ]

    def _counted_parts(self) -> list[str]:
        parts = []
        if self.flops is not None:
            parts.append(f"{format_count(self.flops.per_sample)} floating-point operations")
        if self.peak_memory_bytes is not None:
            parts.append(f"{format_bytes(self.peak_memory_bytes)} of memory in a call")
        if self.n_params is not None:
            parts.append(f"{format_count(self.n_params)} parameters")
        return parts


def call_in_words(batch_size: int, device: str) -> str:
    """Say how a model was called."""
    return f"{batch_size} in a call on {device}"
