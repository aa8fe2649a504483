"""CodeCarbon's tracker, made so that it keeps to itself and heeds no configuration."""

from __future__ import annotations

import contextlib
import inspect
import logging
import tempfile
from typing import TYPE_CHECKING, Any

from green_optuna.energy.hardware import process_ram_w

if TYPE_CHECKING:
    from collections.abc import Iterator

    from green_optuna.energy.options import MeterOptions, TrackingMode

# CodeCarbon's own timer would only add readings between ours: once a day is as good as never.
NEVER_S = 86_400.0

# Arguments with which a tracker keeps to itself. None of them is left to CodeCarbon's
# configuration files and environment variables.
_SILENT: dict[str, Any] = {
    "project_name": "green_optuna",
    "experiment_id": "",
    "experiment_name": "",
    "api_call_interval": -1,
    "api_endpoint": None,
    "api_key": None,
    "output_file": "",
    "output_methods": [],
    "output_handlers": [],
    "emissions_endpoint": None,
    "electricitymaps_api_token": "",  # for None, an older name of it is looked up
    "logging_logger": None,
    "prometheus_url": "",
    "on_csv_write": "append",
    "log_level": "critical",
    "logger_preamble": "",
    "force_mode_cpu_load": False,
    "allow_multiple_runs": True,
    "rapl_include_dram": False,
    "rapl_prefer_psys": False,
    "metadata": None,
    "country_iso_code": None,
    "country_2letter_iso_code": None,
    "region": None,
    "cloud_provider": None,
    "cloud_region": None,
}


def tracking_mode(options: MeterOptions, *, rapl: bool) -> TrackingMode:
    """Give what is tracked: what the user asked for, else what the host can tell best.

    Args:
        options: How to measure.
        rapl: Whether the processor's energy counter can be read.
    """
    return options.tracking_mode or ("machine" if rapl else "process")


def tracker_arguments(options: MeterOptions, *, rapl: bool) -> dict[str, Any]:
    """Give what a tracker is made with, but for its GPUs and its handler.

    Args:
        options: How to measure.
        rapl: Whether the processor's energy counter can be read.
    """
    return {
        # A process is tracked by ourselves; CodeCarbon would go through all of the host's.
        "tracking_mode": "machine",
        # A given power would make CodeCarbon estimate where it can measure.
        "force_cpu_power": None if rapl else options.cpu_power_w,
        "force_ram_power": options.ram_power_w,
        "measure_power_secs": NEVER_S,
        # CO2e and PUE are ours to derive, from the study's one grid.
        "force_carbon_intensity_g_co2e_kwh": 0.0,
        "pue": 1.0,
        "wue": 0.0,
        # What must neither be read from a configuration nor happen.
        **_SILENT,
        "output_dir": tempfile.gettempdir(),
    }


def find_hardware(
    options: MeterOptions, gpu_ids: list[int | str] | None
) -> tuple[Any, TrackingMode]:
    """Have CodeCarbon find the hardware; give it, not started yet, and what is to be tracked.

    Args:
        options: How to measure.
        gpu_ids: The GPUs to count, None for all.
    """
    from codecarbon.core.cpu import is_rapl_available
    from codecarbon.emissions_tracker import BaseEmissionsTracker, OfflineEmissionsTracker

    rapl = is_rapl_available()
    mode = tracking_mode(options, rapl=rapl)
    arguments = tracker_arguments(options, rapl=rapl)
    if mode == "process" and options.ram_power_w is None:
        arguments["force_ram_power"] = process_ram_w()
    if "send_telemetry" in inspect.signature(BaseEmissionsTracker).parameters:
        arguments["send_telemetry"] = False
    tracker: Any = OfflineEmissionsTracker(**arguments, gpu_ids=gpu_ids)
    # Its constructor swallows its errors: what is left then has no hardware, and no methods.
    with contextlib.suppress(AttributeError):
        tracker.get_detected_hardware()
    return getattr(tracker, "_hardware", None), mode


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep CodeCarbon quiet, which logs before it can be told its level.

    Its import takes the level from the environment, and making a tracker logs a line or two.
    """
    logger = logging.getLogger("codecarbon")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
        logger.setLevel(logging.CRITICAL)
