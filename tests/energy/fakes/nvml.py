"""NVIDIA's management library (NVML), with GPUs whose counters a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pynvml  # type: ignore[import-untyped]  # it comes without

if TYPE_CHECKING:
    import pytest


@dataclass(eq=False, slots=True)
class FakeGpu:
    """A GPU, which is its own handle.

    Attributes:
        uuid: Its UUID.
        name: Its model.
        bus: Its PCI bus; NVML goes by it.
        slices: The UUIDs of the slices that it is cut into.
        energy_mj: Its energy counter in mJ; None where it has none.
        power_mw: Its power in mW.
        lost: Whether it has fallen off the bus: nothing of it can be read.
    """

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    bus: int = 0
    slices: list[str] = field(default_factory=list)
    energy_mj: int | None = 1_000_000
    power_mw: int = 100_000
    lost: bool = False

    def use(self, joules: float) -> None:
        """Move the counter forward, in J."""
        assert self.energy_mj is not None
        self.energy_mj += round(joules * 1000)


class FakeNvml:
    """The library; ``module`` takes the place of the Python module.

    Args:
        gpus: The GPUs, in NVML's order.
    """

    def __init__(self, *gpus: FakeGpu) -> None:
        self.gpus = [*gpus]
        for bus, gpu in enumerate(self.gpus):
            gpu.bus = bus
        self.module = SimpleNamespace(
            NVMLError=pynvml.NVMLError,
            NVMLError_NotSupported=pynvml.NVMLError_NotSupported,
            NVML_TEMPERATURE_GPU=0,
            nvmlInit=lambda: None,
            nvmlDeviceGetCount=lambda: len(self.gpus),
            nvmlDeviceGetHandleByIndex=lambda index: self._read(self.gpus[index]),
            nvmlDeviceGetUUID=lambda one: one if isinstance(one, str) else self._read(one).uuid,
            nvmlDeviceGetName=lambda gpu: self._read(gpu).name,
            nvmlDeviceGetPciInfo=lambda gpu: SimpleNamespace(domain=0, bus=gpu.bus, device=0),
            nvmlDeviceGetTotalEnergyConsumption=self._energy_mj,
            nvmlDeviceGetPowerUsage=lambda gpu: self._read(gpu).power_mw,
            nvmlDeviceGetEnforcedPowerLimit=lambda _: 700_000,
            nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=2**36, free=2**36, used=0),
            nvmlDeviceGetUtilizationRates=lambda gpu: SimpleNamespace(gpu=0 * self._read(gpu).bus),
            # Seven slices at most; a handle of one is its UUID.
            nvmlDeviceGetMaxMigDeviceCount=lambda gpu: 7 if gpu.slices else 0,
            nvmlDeviceGetMigDeviceHandleByIndex=self._slice,
        )

    def _read(self, gpu: FakeGpu) -> FakeGpu:
        if gpu.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return gpu

    def _energy_mj(self, gpu: FakeGpu) -> int:
        if self._read(gpu).energy_mj is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        assert gpu.energy_mj is not None
        return gpu.energy_mj

    def _slice(self, gpu: FakeGpu, index: int) -> str:
        if index >= len(gpu.slices) or not gpu.slices[index]:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return gpu.slices[index]


def read_by_codecarbon(fake: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have CodeCarbon read the fake's GPUs, with its own code, and show all of them."""
    from codecarbon.core import gpu, gpu_nvidia, hardware_cache

    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    for module in (gpu, gpu_nvidia):
        monkeypatch.setattr(module, "pynvml", fake.module)
        monkeypatch.setattr(module, "PYNVML_AVAILABLE", True)
        monkeypatch.setattr(module, "is_nvidia_system", lambda: True)
    monkeypatch.setattr(hardware_cache, "_plans", {})
