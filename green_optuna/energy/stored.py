"""A measurement as plain data, ready for JSON, and back: what storages, files and trackers keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from green_optuna.carbon import Grid
from green_optuna.energy.measurement import ComponentEnergy, Measurement, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """Give a measurement as JSON keeps it; its trace is left to the trackers."""
    return {
        "energy_kwh": measurement.energy.to_dict(),
        "duration_s": measurement.duration_s,
        "co2e_kg": measurement.co2e_kg,
        "grid": measurement.grid.to_dict(),
        "basis": measurement.basis,
        "sources": sources_to_dict(measurement.sources),
        "host": measurement.host,
        "fingerprint": measurement.fingerprint,
        "shared": measurement.shared,
        "runs": measurement.runs,
    }


def measurement_from_dict(kept: Mapping[str, Any]) -> Measurement:
    """Undo :func:`measurement_to_dict`; the trace is empty."""
    return Measurement(
        energy=ComponentEnergy.from_dict(kept["energy_kwh"]),
        duration_s=kept["duration_s"],
        grid=Grid.from_dict(kept["grid"]),
        sources=sources_from_dict(kept["sources"]),
        host=kept["host"],
        fingerprint=kept.get("fingerprint", ""),
        shared=kept["shared"],
        runs=kept.get("runs", 1),
    )


def sources_to_dict(sources: Mapping[str, Source]) -> dict[str, list[Any]]:
    """Give where energies come from as JSON keeps it."""
    return {
        name: [source.name, source.measured, source.follows_cpu_time, source.resolution_s]
        for name, source in sources.items()
    }


def sources_from_dict(kept: Mapping[str, Sequence[Any]]) -> dict[str, Source]:
    """Undo :func:`sources_to_dict`."""
    return {name: Source(*source) for name, source in kept.items()}
