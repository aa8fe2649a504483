"""Which AMD GPUs a process sees: what the environment shows it, as the indices of amdsmi.

ROCm takes ``ROCR_VISIBLE_DEVICES`` first; of the GPUs that this leaves, ``HIP_VISIBLE_DEVICES``
chooses, or ``CUDA_VISIBLE_DEVICES`` where that is not set
(https://rocm.docs.amd.com/projects/HIP/en/latest/reference/env_variables.html). Both number the
GPUs as HIP does, which is not always amdsmi's order; from ROCm 6.4 on, amdsmi says which is which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from green_optuna.errors import MeterError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROCR = "ROCR_VISIBLE_DEVICES"
_HIP = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def chooses_gpus(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment chooses GPUs; AMD's heed CUDA's variable as well."""
    return any(name in environ for name in (_ROCR, *_HIP))


def visible_amd_gpus(environ: Mapping[str, str], hip_ids: Sequence[int | None]) -> list[int] | None:
    """Resolve ROCm's variables into amdsmi's indices; None, where none is set, for all.

    Each list ends with the first entry that is no number of a GPU, such as -1.

    Args:
        environ: The environment's variables.
        hip_ids: What HIP calls each GPU, in the order of amdsmi; None where that is not known.

    Raises:
        OptionError: Which GPUs are meant cannot be told.
    """
    if not chooses_gpus(environ):
        return None
    shown = [*range(len(hip_ids))]
    for name in (_ROCR, next((name for name in _HIP if name in environ), _HIP[0])):
        if name in environ:
            shown = _choose(shown, name, environ[name])
    if len(shown) in (0, len(hip_ids)):
        return shown
    if None in hip_ids:
        raise OptionError(
            f"The environment shows the GPUs {shown} to HIP, and amdsmi, which reads their "
            f"energy, does not say which these are (ROCm 6.4 does). {_REMEDY}"
        )
    return [hip_ids.index(one) for one in shown]


def amd_hip_ids() -> list[int | None]:
    """Give what HIP calls each AMD GPU that CodeCarbon can read, in the order of amdsmi.

    Raises:
        MeterError: amdsmi does not say which GPUs there are.
    """
    from codecarbon.core import gpu_amd

    amdsmi: Any = getattr(gpu_amd, "amdsmi", None)  # None where it is not installed
    if amdsmi is None:
        return []
    try:
        amdsmi.amdsmi_init()
        return [_hip_id(amdsmi, handle) for handle in amdsmi.amdsmi_get_processor_handles()]
    except amdsmi.AmdSmiException as error:
        raise MeterError(
            f"amdsmi does not say which GPUs there are: {error}. Look whether amd-smi works, or "
            "give gpu_ids=() to count no GPU."
        ) from error


_REMEDY = "Give the meter gpu_ids, as amd-smi numbers them."


def _choose(shown: Sequence[int], name: str, value: str) -> list[int]:
    """Apply one variable to the GPUs that the one before it left."""
    chosen: list[int] = []
    for entry in value.split(","):
        if entry.strip().startswith("GPU-"):
            raise OptionError(
                f"{name} is {value!r}, and amdsmi, which reads their energy, has other names for "
                f"AMD's GPUs. {_REMEDY}"
            )
        if re.fullmatch(r"\d+", entry.strip(), re.ASCII) is None or int(entry) >= len(shown):
            break
        chosen.append(shown[int(entry)])
    return [*dict.fromkeys(chosen)]


def _hip_id(amdsmi: Any, handle: object) -> int | None:  # noqa: ANN401 - a module without types
    """Give what HIP calls a GPU; None where amdsmi does not know it."""
    ask = getattr(amdsmi, "amdsmi_get_gpu_enumeration_info", None)
    if ask is None:
        return None
    number = ask(handle).get("hip_id")
    return number if isinstance(number, int) else None
