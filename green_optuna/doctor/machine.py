"""What this host shows of its energy counters: read from files, so that a fake tree will do."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a hypervisor writes where a machine names its product or its maker. Beside x86, which has a
# processor flag for it, nothing else tells.
_VIRTUAL_PRODUCTS = (
    "Bochs",
    "Google Compute Engine",
    "HVM domU",
    "KVM",
    "OpenStack",
    "QEMU",
    "VMware",
    "Virtual Machine",
    "VirtualBox",
)

# PCI: the makers' ids, and the class that displays and 3D controllers have in common.
_GPU_MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
_GPU_CLASS = "0x03"


@dataclass(frozen=True, slots=True)
class Counter:
    """A RAPL counter that the host lists.

    Attributes:
        path: Its file.
        fault: Why it cannot be read, in the system's words; None where it can.
        forbidden: Whether that is for want of permission.
    """

    path: Path
    fault: str | None = None
    forbidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a host shows of itself.

    Attributes:
        system: "Linux", "Darwin" (macOS) or "Windows".
        machine: The kind of processor: "x86_64", "aarch64".
        powercap: The folder in which Linux lists the processors' counters.
        counters: The counters that are there, whether they can be read or not.
        hidden: Whether the folder names zones whose files are not there, as where a container's
            runtime masks them.
        virtual: How it is known to be a virtual machine; empty where it is not.
        container: How it is known to be a container; empty where it is not.
        gpu_makers: The makers of the GPUs that are there, of "NVIDIA" and "AMD".
        nvml_fault: Why NVIDIA's library gives nothing; None where it works.
        cuda_visible_devices: What ``CUDA_VISIBLE_DEVICES`` says; None where it is not set.
    """

    system: str
    machine: str
    powercap: Path
    counters: tuple[Counter, ...] = ()
    hidden: bool = False
    virtual: str = ""
    container: str = ""
    gpu_makers: tuple[str, ...] = ()
    nvml_fault: str | None = None
    cuda_visible_devices: str | None = None


def look_at_host(root: Path = Path("/")) -> Host:
    """Read what this host shows of itself.

    Args:
        root: Where its ``proc``, ``sys`` and ``run`` are.
    """
    powercap = root / "sys/class/powercap"
    counters = tuple(_counters(powercap))
    return Host(
        system=platform.system(),
        machine=platform.machine(),
        powercap=powercap,
        counters=counters,
        hidden=not counters and _names_zones(powercap),
        virtual=_virtual(root),
        container=_container(root),
        gpu_makers=_gpu_makers(root),
        nvml_fault=_nvml_fault(),
        cuda_visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
    )


def _counters(powercap: Path) -> Iterator[Counter]:
    """Find the counters and read each: permission bits do not say what a container allows."""
    # intel-rapl:0 is a package and intel-rapl:0:1 a part of it, on AMD's processors too.
    for path in sorted(powercap.glob("intel-rapl*:*/energy_uj")):
        try:
            int(path.read_text())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            yield Counter(path, reason, forbidden=isinstance(error, PermissionError))
        else:
            yield Counter(path)


def _names_zones(powercap: Path) -> bool:
    # The links stay where a runtime masks what they lead to.
    with contextlib.suppress(OSError):
        return any(one.name.startswith("intel-rapl:") for one in powercap.iterdir())
    return False


def _virtual(root: Path) -> str:
    with contextlib.suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, flags = line.partition(":")
            if name.strip() == "flags":
                if "hypervisor" in flags.split():
                    return "the processor has the flag 'hypervisor'"
                break
    for name in ("product_name", "sys_vendor"):
        said = _text(root / "sys/class/dmi/id" / name)
        if any(product in said for product in _VIRTUAL_PRODUCTS):
            return f"the machine calls itself {said!r}"
    return ""


def _container(root: Path) -> str:
    for mark in (".dockerenv", "run/.containerenv"):
        if (root / mark).exists():
            return f"there is a file /{mark}"
    if (root / "var/run/secrets/kubernetes.io").exists():
        return "there are Kubernetes secrets in it"
    return ""


def _gpu_makers(root: Path) -> tuple[str, ...]:
    """Name the makers of the GPUs on the PCI bus, or of those that a driver lists."""
    makers = set()
    for device in (root / "sys/bus/pci/devices").glob("*"):
        if _text(device / "class").startswith(_GPU_CLASS):
            makers.add(_GPU_MAKERS.get(_text(device / "vendor"), ""))
    if any((root / "proc/driver/nvidia/gpus").glob("*")):
        makers.add("NVIDIA")
    return tuple(sorted(makers - {""}))


def _nvml_fault() -> str | None:
    """Say why NVML, the library that reads NVIDIA's counters, gives nothing."""
    try:
        import pynvml  # type: ignore[import-untyped]  # it comes without
    except ImportError as error:
        return f"the package nvidia-ml-py is not installed ({error})"
    try:
        pynvml.nvmlInit()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return f"NVIDIA's driver does not answer ({error})"
    return None


def _text(path: Path) -> str:
    """Give what a small file says, or nothing."""
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""
