"""What measures: meters, the sampler that reads them, and the measurement of a trial."""

from green_optuna.energy.codecarbon import CodeCarbonMeter
from green_optuna.energy.curves import Bursts, Constant, Curve, Ramp, Steps, Sum
from green_optuna.energy.machine import ReplayClock, ReplayMachine, TrialSpan
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
    "Bursts",
    "CodeCarbonMeter",
    "ComponentEnergy",
    "Constant",
    "Curve",
    "Measurement",
    "Meter",
    "MeterOptions",
    "Ramp",
    "ReplayClock",
    "ReplayMachine",
    "ReplayMeter",
    "Sampler",
    "Source",
    "Steps",
    "Sum",
    "Trace",
    "TrialSpan",
    "Window",
    "basis_of",
    "sampler_for",
]
