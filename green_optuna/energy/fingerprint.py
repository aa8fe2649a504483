"""What hardware this is, as a short hash: energies of machines alike can be compared."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_GPUS = Path("/proc/driver/nvidia/gpus")
_MEMINFO = Path("/proc/meminfo")


@functools.cache
def hardware_fingerprint() -> str:
    """Give 12 hexadecimal digits that stand for this machine's hardware.

    They come from the processor's name, the number of cores, the memory in GiB and the names of
    NVIDIA's GPUs: not from the machine's name, so that the nodes of a cluster that are alike
    have one fingerprint, and a container that is made anew keeps its own.
    """
    return hashlib.sha256("\n".join(hardware()).encode()).hexdigest()[:12]


def hardware() -> list[str]:
    """Name the hardware that the fingerprint stands for, one item a line."""
    return [
        platform.machine(),
        processor_name(),
        f"{os.cpu_count()} cores",
        f"{_memory_gib()} GiB",
        *_gpu_names(),
    ]


def processor_name() -> str:
    """Name the processor as the system does, or nothing where it does not."""
    return _value_in(_CPUINFO, "model name") or platform.processor()


def _memory_gib() -> int:
    """Give the memory in whole GiB, 0 where it is not known: a reboot may move some MiB."""
    kib = _value_in(_MEMINFO, "MemTotal").partition(" ")[0]
    return round(int(kib) / 2**20) if kib else 0


def _gpu_names() -> list[str]:
    """Name NVIDIA's GPUs from the driver's files, which takes no library and no time."""
    try:
        cards = sorted(_GPUS.iterdir())
    except OSError:
        return []
    return sorted(_value_in(card / "information", "Model") for card in cards)


def _value_in(path: Path, key: str) -> str:
    """Give the first value of a key in a file of ``key: value`` lines, or nothing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""
