"""CodeCarbon's hardware, asked for the states of its counters and the powers of the rest.

CodeCarbon's own account, energy since *this* process last asked, cannot be shared among
processes. The states of the counters that it reads can: they are the same for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from green_optuna.energy.hardware import resolution_s
from green_optuna.energy.member import CPU, Channel
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What CodeCarbon calls the counters that it adds up for the processors.
_PACKAGES = "Processor Energy Delta_"


def read_channels(hardware: Sequence[Any], elapsed_s: float) -> list[Channel]:
    """Ask the hardware for what the processors and accelerators have used.

    Args:
        hardware: CodeCarbon's list, of which the memory is left out.
        elapsed_s: How long ago it was last asked, in s.
    """
    channels: list[Channel] = []
    for item in hardware:
        kind = type(item).__name__
        if kind == "GPU":
            item.measure_power_and_energy(elapsed_s)
            channels += _of_gpus(item)
        elif getattr(item, "_mode", None) == "intel_rapl":
            item.measure_power_and_energy(elapsed_s)
            channels += _of_packages(item)
        elif pool := _pool_of(item, kind):
            power, energy = item.measure_power_and_energy(elapsed_s)
            # Some count joules, and give the power of this very moment beside.
            power_w = joules_from_kwh(energy.kWh) / elapsed_s if elapsed_s > 0 else power.W
            channels.append(Channel(kind, pool, power_w=power_w, resolution_s=resolution_s(item)))
    return channels


def package_files(hardware: Sequence[Any]) -> list[str]:
    """Give the files of the processors' counters that are read, where these are RAPL's."""
    rapl = [one for one in hardware if getattr(one, "_mode", None) == "intel_rapl"]
    return [file.path for one in rapl for file in _packages_of(one._intel_interface)]


def memory_w(hardware: Sequence[Any]) -> float:
    """Give the power of the memory in W, as CodeCarbon estimates it, or measures it now."""
    for item in hardware:
        if type(item).__name__ == "RAM" or getattr(item, "chip_part", None) == "RAM":
            return float(item.total_power().W)
    return 0.0


def _pool_of(item: object, kind: str) -> str | None:
    if kind == "CPU":
        return CPU
    part = getattr(item, "chip_part", None)
    if part == "CPU":
        return CPU
    return f"gpu:{kind}" if part == "GPU" else None


def _packages_of(rapl: Any) -> Iterator[Any]:  # noqa: ANN401 - CodeCarbon's own
    for file in rapl._rapl_files:
        # A counter that mirrors another one would count a socket twice.
        if file.name.startswith(_PACKAGES) and file.path not in rapl._mirrored_candidates:
            yield file


def _of_packages(cpu: Any) -> Iterator[Channel]:  # noqa: ANN401 - CodeCarbon's own
    for file in _packages_of(cpu._intel_interface):
        yield from rapl_channel(file, CPU, resolution_s(cpu))


def rapl_channel(file: Any, pool: str, step_s: float) -> Iterator[Channel]:  # noqa: ANN401 - CodeCarbon's own
    """Give what a counter's file said when it was last read, unless it could not be read.

    Args:
        file: CodeCarbon's reader of it.
        pool: What it is a part of.
        step_s: How long it takes to give a new figure, in s.
    """
    if file.last_energy is not None:
        yield Channel(
            key=file.path,
            pool=pool,
            joules=joules_from_kwh(file.last_energy.kWh),
            wraps_at_j=joules_from_kwh(file.max_energy_reading.kWh),
            resolution_s=step_s,
        )


def _of_gpus(gpus: Any) -> Iterator[Channel]:  # noqa: ANN401 - CodeCarbon's own
    counted = set(gpus._get_gpu_ids())
    for device in gpus.devices.devices:
        if device.gpu_index not in counted:
            continue
        key = f"gpu:{device.get_static_details()['uuid']}"
        energy = device.last_energy
        # A counter that reads nothing is none: the second half of some AMD cards.
        if energy is None or energy.kWh <= 0:
            yield Channel(key, key, power_w=device.power.W, resolution_s=resolution_s(gpus))
        else:
            joules = joules_from_kwh(energy.kWh)
            yield Channel(key, key, joules=joules, resolution_s=resolution_s(gpus))
