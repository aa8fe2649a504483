"""What can be asked of the CodeCarbon meter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from green_optuna.errors import OptionError

TrackingMode = Literal["machine", "process"]

MIN_SAMPLE_INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterOptions:
    """How CodeCarbon measures.

    Attributes:
        sample_interval_s: Time between two points of a trial's trace, in s; 1 unless given.
        tracking_mode: "machine" shares out what the host uses, as counted or as estimated from
            its load, among the trials that run on it; "process" estimates this process and its
            children. None picks "machine" where the processor's energy counter (RAPL) can be
            read, and "process" where it has to be estimated, since that estimate is linear in
            CPU time and blind to what else runs on the host.
        cpu_power_w: The processor's rated power (TDP) in W, instead of what CodeCarbon finds
            for its name; only used for estimates, never instead of RAPL.
        ram_power_w: The memory's power in W, instead of its counters where it has some, else of
            CodeCarbon's guess from the size of the machine's, or of what the process has when
            the meter starts.
        gpu_ids: Indices, as nvidia-smi shows them, or UUIDs of the GPUs to count. None counts
            those that the environment shows to this process (``CUDA_VISIBLE_DEVICES``, and
            ROCm's), or all; ``()`` counts none. A slice of a GPU (MIG) counts as all of it.
    """

    sample_interval_s: float = 1.0
    tracking_mode: TrackingMode | None = None
    cpu_power_w: float | None = None
    ram_power_w: float | None = None
    gpu_ids: tuple[int | str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what CodeCarbon would silently ignore.

        Raises:
            OptionError: An option is out of its range.
        """
        _check_positive("sample_interval_s", self.sample_interval_s)
        for name in ("cpu_power_w", "ram_power_w"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        if self.sample_interval_s < MIN_SAMPLE_INTERVAL_S:
            raise OptionError(
                f"sample_interval_s is {self.sample_interval_s!r}: give {MIN_SAMPLE_INTERVAL_S} "
                "or more. Readings that are closer together cost more than they tell."
            )
        if self.tracking_mode not in ("machine", "process", None):
            raise OptionError(
                f'tracking_mode is {self.tracking_mode!r}: give "machine", "process" or None.'
            )
        if self.gpu_ids is not None:
            object.__setattr__(self, "gpu_ids", _checked_gpu_ids(self.gpu_ids))


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise OptionError(f"{name} is {value!r}: give a positive number.")


def _checked_gpu_ids(gpu_ids: object) -> tuple[int | str, ...]:
    """Give the ids as a tuple, with which options can be hashed."""
    if isinstance(gpu_ids, tuple | list) and all(_names_gpu(one) for one in gpu_ids):
        return tuple(gpu_ids)
    raise OptionError(
        f"gpu_ids is {gpu_ids!r}: give a tuple of indices from 0 up or of UUIDs, such as (0, 1), "
        "or () for none."
    )


def _names_gpu(one: object) -> bool:
    if isinstance(one, str):
        return bool(one.strip())
    return isinstance(one, int) and not isinstance(one, bool) and one >= 0
