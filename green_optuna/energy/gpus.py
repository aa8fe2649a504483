"""Which GPUs a process sees: what the environment shows it, as the indices that counters use.

CUDA lets the environment choose the GPUs of a process, by numbers of its own, by UUIDs and by
slices of a GPU (MIG). The energy counters go by NVML's indices, which are those that nvidia-smi
shows. What one says is resolved into the other here; where that cannot be told from the
environment, CUDA itself is asked, and where it does not say, nothing is guessed.

CUDA's rules are those of its programming guide, section 5.2.1, where that speaks
(https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html),
and PyTorch's copy of them elsewhere (``torch.cuda._parse_visible_devices``). In a container, NVML
shows only the GPUs that the container was given, so that ``NVIDIA_VISIBLE_DEVICES`` has done its
work already.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from green_optuna.errors import MeterError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Where a GPU sits: PCI domain, bus and device.
Pci = tuple[int, int, int]

# What CUDA shows, asked in a process of its own: a process in which CUDA is initialised cannot
# use it in its forks. It gives a slice's whole GPU, and 100 where no GPU is shown.
_ASK_CUDA = """
import ctypes, sys
cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
def call(name, *arguments):
    error = getattr(cuda, name)(*arguments)
    if error:
        sys.exit(0 if (name, error) == ("cuInit", 100) else f"{name} gave error {error}")
count, device, place = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(32)
call("cuInit", 0)
call("cuDeviceGetCount", ctypes.byref(count))
for index in range(count.value):
    call("cuDeviceGet", ctypes.byref(device), index)
    call("cuDeviceGetPCIBusId", place, 32, device)
    print(place.value.decode())
"""
_ASK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU, as NVML shows it.

    Attributes:
        index: NVML's index of it.
        uuid: Its UUID, ``GPU-...``.
        name: Its model.
        pci: Where it sits.
        slices: The UUIDs of the slices (MIG) that it is cut into, ``MIG-...``.
    """

    index: int
    uuid: str
    name: str
    pci: Pci
    slices: tuple[str, ...] = ()


def visible_gpus(
    visible: str | None,
    gpus: Sequence[Gpu],
    *,
    order: str | None = None,
    ask: Callable[[], Sequence[Pci]],
) -> list[int] | None:
    """Resolve ``CUDA_VISIBLE_DEVICES`` into NVML's indices; None, where it is not set, for all.

    The list ends with the first entry that names no GPU, such as -1, an ambiguous UUID, or an
    entry of another kind; one that names a GPU twice shows none. A number counts the GPUs in
    CUDA's order, which is the bus's and NVML's where ``CUDA_DEVICE_ORDER`` says so and where all
    GPUs are of one model. Otherwise the fastest comes first, and with slices one of them, by
    rules that are not told: CUDA is asked. A slice stands for its whole GPU, since there is no
    counter for less.

    Args:
        visible: ``CUDA_VISIBLE_DEVICES``.
        gpus: All GPUs of the host, in NVML's order.
        order: ``CUDA_DEVICE_ORDER``.
        ask: Asks CUDA where the GPUs sit that it shows.

    Raises:
        OptionError: Which GPUs are meant cannot be told.
    """
    if visible is None:
        return None
    entries = [entry.strip() for entry in visible.split(",")]
    if entries[0].startswith(("GPU-", "MIG-")):
        return _named(entries, gpus)
    numbers = _numbers(entries)
    if any(gpu.slices for gpu in gpus):
        sure = len(gpus) == 1 and numbers[:1] == [0]
        numbers = numbers[:1] if sure else numbers
    else:
        numbers = _until_beyond(numbers, len(gpus))
        in_bus_order = order == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) == 1
        sure = in_bus_order or len(numbers) == len(gpus)
    if sure or not numbers:
        return [gpus[number].index for number in numbers]
    indices = {gpu.pci: gpu.index for gpu in gpus}
    try:
        return [*dict.fromkeys(indices[pci] for pci in ask())]
    except KeyError as error:
        raise OptionError(
            f"CUDA_VISIBLE_DEVICES is {visible!r}, and CUDA shows a GPU at {error.args[0]}, where "
            f"NVML has GPUs only at {[*indices]}. {_REMEDY}"
        ) from None


def find_gpu(name: str, gpus: Sequence[Gpu]) -> Gpu | None:
    """Give the one GPU that a UUID, the beginning of one, or a slice of it names.

    Args:
        name: ``GPU-<UUID>``, ``MIG-<UUID>`` or ``MIG-GPU-<UUID>/<instance>/<instance>``.
        gpus: All GPUs of the host.

    Returns:
        The GPU; None where there is none, or more than one.
    """
    start = name.lower()
    found = [
        gpu
        for gpu in gpus
        for uuid in ((gpu.uuid,) if name.startswith("GPU-") else gpu.slices)
        if uuid.lower().startswith(start)
    ]
    if not found and name.startswith("MIG-GPU-"):
        # How slices were named by drivers before R470.
        return find_gpu(name.removeprefix("MIG-").partition("/")[0], gpus)
    return found[0] if len(found) == 1 else None


def nvml_gpus() -> list[Gpu]:
    """Give all NVIDIA GPUs that CodeCarbon can read, in NVML's order.

    Raises:
        MeterError: NVML knows of GPUs that cannot be read.
    """
    from codecarbon.core import gpu_nvidia

    nvml: Any = getattr(gpu_nvidia, "pynvml", None)  # None where there is no driver
    if nvml is None:
        return []
    gpus = []
    try:
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            pci = nvml.nvmlDeviceGetPciInfo(handle)
            gpus.append(
                Gpu(
                    index=index,
                    uuid=nvml.nvmlDeviceGetUUID(handle),
                    name=nvml.nvmlDeviceGetName(handle),
                    pci=(pci.domain, pci.bus, pci.device),
                    slices=_slices(nvml, handle),
                )
            )
    except nvml.NVMLError as error:
        raise MeterError(
            f"NVML does not tell which GPUs there are: {error}. Look whether nvidia-smi works, or "
            "give gpu_ids=() to count no GPU."
        ) from error
    return gpus


@functools.cache
def ask_cuda(visible: str, order: str | None) -> tuple[Pci, ...]:
    """Ask CUDA, in another process, which GPUs it shows; give where they sit.

    Args:
        visible: ``CUDA_VISIBLE_DEVICES``.
        order: ``CUDA_DEVICE_ORDER``.

    Raises:
        OptionError: It does not say.
    """
    environ = os.environ | {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": order or ""}
    if order is None:
        del environ["CUDA_DEVICE_ORDER"]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _ASK_CUDA],
            env=environ,
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
        )
        return tuple(_pci(line) for line in done.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise OptionError(
            f"CUDA_VISIBLE_DEVICES is {visible!r}: with GPUs of several models, or cut into "
            "slices, only CUDA knows which these are, and it does not say "
            f"({said[-1] if said else 'no reason given'}). {_REMEDY}"
        ) from error


_REMEDY = (
    "Name the GPUs by their UUIDs there (nvidia-smi -L shows them), set "
    "CUDA_DEVICE_ORDER=PCI_BUS_ID, or give the meter gpu_ids, as nvidia-smi numbers them."
)


def _pci(place: str) -> Pci:
    """Read a place as CUDA writes it: ``0000:3b:00.0``, in hexadecimal digits."""
    domain, bus, device = place.partition(".")[0].split(":")
    return int(domain, 16), int(bus, 16), int(device, 16)


def _slices(nvml: Any, handle: object) -> tuple[str, ...]:  # noqa: ANN401 - a module without types
    """Give the UUIDs of a GPU's slices; none where the GPU or the driver knows of no slices."""
    uuids = []
    with contextlib.suppress(nvml.NVMLError):
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            # There may be a gap where a slice was taken away.
            with contextlib.suppress(nvml.NVMLError):
                one = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
                uuids.append(nvml.nvmlDeviceGetUUID(one))
    return tuple(uuids)


def _named(entries: Sequence[str], gpus: Sequence[Gpu]) -> list[int]:
    """Resolve UUIDs of GPUs, or of slices."""
    kind = entries[0][:4]
    seen: list[object] = []
    indices = []
    for entry in entries:
        gpu = find_gpu(entry, gpus) if entry.startswith(kind) else None
        if gpu is None:
            break
        # Two slices may well be of one GPU.
        key = entry if kind == "MIG-" else gpu
        if key in seen:
            return []
        seen.append(key)
        indices.append(gpu.index)
    return [*dict.fromkeys(indices)]


def _numbers(entries: Sequence[str]) -> list[int]:
    """Read numbers as C does, so that ``1st`` is 1, up to the first that is none."""
    numbers: list[int] = []
    for entry in entries:
        found = re.match(r"[+-]?\d+", entry, re.ASCII)
        if found is None or int(found[0]) < 0:
            break
        if int(found[0]) in numbers:
            return []
        numbers.append(int(found[0]))
    return numbers


def _until_beyond(numbers: Sequence[int], count: int) -> list[int]:
    """Give numbers up to the first that is no index of so many."""
    beyond = [position for position, number in enumerate(numbers) if number >= count]
    return [*numbers[: beyond[0] if beyond else None]]
