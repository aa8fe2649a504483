"""The devices that a call runs on: what they are called, and when they have done their work."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from green_optuna.energy.fingerprint import processor_name
from green_optuna.errors import ModelError
from green_optuna.models import inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from green_optuna.models.calls import Call


def devices_of(call: Call) -> list[torch.device]:
    """Give the devices of the module's tensors, or else that of the inputs; each once, in order."""
    found = [] if call.module is None else list(dict.fromkeys(inputs.devices_of(call.module)))
    if not found and call.device is not None:
        return [call.device]
    return found


def describe_devices(call: Call) -> str:
    """Name the devices of a call: ``"cuda:0 (NVIDIA H100 80GB HBM3)"``.

    Of a function that takes no tensors, nothing is known but the machine: ``"host (...)"``.
    """
    return " and ".join(map(_described, devices_of(call))) or f"host ({_processor()})"


def wait_for(devices: Iterable[torch.device], *, current: bool = False) -> None:
    """Wait until accelerators have done what they were given, for which calls do not wait.

    Args:
        devices: Those of a call, as :func:`devices_of` gives them; processors are no matter.
        current: Whether to wait for CUDA's current device too, where there is one in use.

    Raises:
        ModelError: torch has no means to wait for one: what runs there cannot be timed.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return
    waiting = {device for device in devices if device.type != "cpu"}
    for device in waiting:
        synchronize = getattr(getattr(torch, device.type, None), "synchronize", None)
        if synchronize is None:
            raise ModelError(
                f"The model is on {str(device)!r}, whose work torch cannot wait for: measure it on "
                "another device, or count without measuring, with runs=0."
            )
        # Apple's has but one device, and takes none.
        synchronize(*([] if device.type == "mps" else [device]))
    if current and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _described(device: torch.device) -> str:
    torch = sys.modules["torch"]
    if device.type == "cpu":
        return f"cpu ({_processor()})"
    name_of = getattr(getattr(torch, device.type, None), "get_device_name", None)
    return str(device) if name_of is None else f"{device} ({name_of(device)})"


def _processor() -> str:
    return processor_name() or platform.machine()
