"""What measures: meters, the sampler that reads them, and the measurement of a trial."""

from green_optuna.energy.codecarbon import CodeCarbonMeter
from green_optuna.energy.measurement import (
    COMPONENTS,
    Basis,
    ComponentEnergy,
    Measurement,
    Source,
    Trace,
    basis_of,
)
from green_optuna.energy.meter import Meter
from green_optuna.energy.options import MeterOptions
from green_optuna.energy.replay import ReplayMeter
from green_optuna.energy.sampler import Sampler, sampler_for
from green_optuna.energy.window import Window

__all__ = [
    "COMPONENTS",
    "Basis",
    "CodeCarbonMeter",
    "ComponentEnergy",
    "Measurement",
    "Meter",
    "MeterOptions",
    "ReplayMeter",
    "Sampler",
    "Source",
    "Trace",
    "Window",
    "basis_of",
    "sampler_for",
]
