"""Which GPUs CodeCarbon shall count, and what each of its figures rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from green_optuna.energy.amd_gpus import amd_hip_ids, chooses_gpus, visible_amd_gpus
from green_optuna.energy.gpus import ask_cuda, find_gpu, nvml_gpus, visible_gpus
from green_optuna.energy.measurement import Source
from green_optuna.energy.process import CpuTimeEstimate
from green_optuna.errors import MeterError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from green_optuna.energy.gpus import Gpu
    from green_optuna.energy.options import TrackingMode

GPU_COUNTER = "GPU energy counter"
SLICED_GPU_COUNTER = "GPU energy counter, of all slices together"
GPU_POWER = "GPU power sensor"

# CodeCarbon's names for the ways in which it measures a processor.
_CPU_METERS = {
    "intel_rapl": "RAPL",
    "intel_power_gadget": "Intel Power Gadget",
    "windows_emi": "Windows energy meter",
}

# How long it takes to give a new figure, in s. RAPL steps every millisecond (Intel's Software
# Developer's Manual, volume 3, section 16.10), NVIDIA's counter every 20 to 100 ms; the rest is
# asked for its power now and then, or goes by the system's ticks of 10 ms on several cores.
_RESOLUTION_S = {"intel_rapl": 0.001, "windows_emi": 0.1, "cpu_load": 0.1, "GPU": 0.1}
_OTHER_RESOLUTION_S = 1.0


def gpus_to_count(
    given: tuple[int | str, ...] | None, environ: Mapping[str, str]
) -> list[int | str] | None:
    """Name the GPUs to count by the indices of their counters; None for all.

    CodeCarbon would take an empty ``CUDA_VISIBLE_DEVICES`` for all GPUs, and knows neither
    CUDA's order nor slices.

    Args:
        given: What the user asked for; None for what the environment shows.
        environ: The environment's variables.

    Raises:
        MeterError: NVML or amdsmi does not say which GPUs there are.
        OptionError: Which GPUs the environment means cannot be told.
    """
    if given is not None:
        named = any(isinstance(one, str) for one in given)
        gpus = nvml_gpus() if named else []
        return [_index_of(one, gpus) for one in given]
    if not chooses_gpus(environ):
        return None
    visible, order = environ.get("CUDA_VISIBLE_DEVICES"), environ.get("CUDA_DEVICE_ORDER")
    if gpus := nvml_gpus():
        chosen = visible_gpus(
            visible, gpus, order=order, ask=lambda: ask_cuda(visible or "", order)
        )
    elif hip_ids := amd_hip_ids():
        chosen = visible_amd_gpus(environ, hip_ids)
    else:
        chosen = []
    return None if chosen is None else [*chosen]


def _index_of(gpu: int | str, gpus: Sequence[Gpu]) -> int | str:
    """Give the index of a GPU that the user named; the name where there is none."""
    found = find_gpu(gpu, gpus) if isinstance(gpu, str) else None
    return gpu if found is None else found.index


def sources_of(hardware: object, mode: TrackingMode) -> dict[str, Source]:
    """Read from CodeCarbon's list of hardware what is measured and what is estimated.

    Args:
        hardware: The list, which has no public name; whatever was found in its place.
        mode: What is tracked.

    Raises:
        MeterError: It cannot be read, or has no processor in it: nothing is guessed.
    """
    sources: dict[str, Source] = {}
    items = hardware if isinstance(hardware, list) else []
    for item in items:
        kind = type(item).__name__
        if kind == "CPU":
            sources["cpu"] = _cpu_source(item, mode)
        elif kind == "GPU":
            sources |= _gpu_source(item)
        elif kind == "RAM":
            given = getattr(item, "_force_ram_power", None)
            watts = f"{given:g} W" if given else "guessed from its size"
            sources["ram"] = Source(f"memory estimate, {watts}", measured=False)
        elif kind in ("AppleSiliconChip", "Raspberry"):
            part = str(getattr(item, "chip_part", "CPU")).lower()
            name = f"{kind} power sensor"
            sources[part] = Source(name, measured=True, resolution_s=resolution_s(item))
    if "cpu" not in sources:
        found = [type(item).__name__ for item in items] if items else hardware
        raise MeterError(
            f"CodeCarbon offers no processor that this library knows, only {found!r}. It swallows "
            "its own errors: most often ~/.codecarbon.config or ./.codecarbon.config is "
            "malformed. Otherwise install the version of CodeCarbon that green_optuna names."
        )
    return sources


def resolution_s(item: object) -> float:
    """Give how long an item of CodeCarbon's hardware takes to give a new figure, in s."""
    way = getattr(item, "_mode", type(item).__name__)
    return _RESOLUTION_S.get(way, _OTHER_RESOLUTION_S)


def cpu_time_estimate(hardware: Sequence[object]) -> CpuTimeEstimate | None:
    """Give the estimate of the processor's energy from CPU time, where it is no counter's.

    Args:
        hardware: CodeCarbon's list of hardware.
    """
    for item in hardware:
        power_w, processors = getattr(item, "_tdp", None), getattr(item, "_cpu_count", None)
        if getattr(item, "_mode", None) == "cpu_load" and power_w and processors:
            return CpuTimeEstimate(power_w=power_w, processors=processors)
    return None


def process_ram_w() -> float:
    """Give the power in W that CodeCarbon estimates for the memory of this process, now."""
    from codecarbon.external.ram import RAM

    return float(RAM(tracking_mode="process").total_power().W)


def check_gpus_found(given: Sequence[int | str] | None, hardware: Sequence[object]) -> None:
    """Hold that CodeCarbon counts the GPUs that were asked for: others it ignores silently.

    Args:
        given: Their indices or UUIDs; None where the user did not say.
        hardware: CodeCarbon's list of hardware.

    Raises:
        OptionError: Some were not found.
    """
    counted: list[object] = []
    for item in hardware:
        if type(item).__name__ == "GPU":
            counted.extend(getattr(item, "gpu_ids", None) or ())
    # Two names may be of one GPU.
    if given and len(counted) < len(set(gpus_to_count(tuple(given), {}) or ())):
        raise OptionError(
            f"gpu_ids is {tuple(given)!r}, but of those CodeCarbon finds only {counted!r} on this "
            "host (indices as nvidia-smi shows them): name each GPU once, or leave gpu_ids out."
        )


def _gpu_source(gpus: object) -> dict[str, Source]:
    """Name what the GPUs' energy is read from; nothing where no GPU is read.

    Where nvidia-smi is installed without a driver, CodeCarbon has a list of no GPUs.
    """
    devices = getattr(getattr(gpus, "devices", None), "devices", [])
    ids = getattr(gpus, "gpu_ids", None)
    counted = [one for one in devices if ids is None or one.gpu_index in ids]
    if not counted:
        return {}
    if not all(getattr(one, "_has_counter", True) for one in counted):
        return {"gpu": Source(GPU_POWER, measured=True, resolution_s=_OTHER_RESOLUTION_S)}
    sliced = {gpu.index for gpu in nvml_gpus() if gpu.slices}
    name = SLICED_GPU_COUNTER if sliced & {one.gpu_index for one in counted} else GPU_COUNTER
    return {"gpu": Source(name, measured=True, resolution_s=resolution_s(gpus))}


def _cpu_source(cpu: object, mode: TrackingMode) -> Source:
    way = getattr(cpu, "_mode", "unknown")
    if way in _CPU_METERS:
        return Source(_CPU_METERS[way], measured=True, resolution_s=resolution_s(cpu))
    tdp = getattr(cpu, "_tdp", None)
    watts = f"{tdp:g} W" if isinstance(tdp, int | float) else "rated power"
    if way != "cpu_load":
        return Source(f"processor estimate, half of {watts}", measured=False)
    if mode == "process":
        name = f"processor estimate, CPU time x {watts}"
        return Source(name, measured=False, follows_cpu_time=True)
    name = f"processor estimate, CPU load x {watts}"
    return Source(name, measured=False, resolution_s=resolution_s(cpu))
