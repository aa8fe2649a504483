"""What a model is made of and takes to run: parameters, floating-point operations, memory."""

from green_optuna.models.flops import FlopCount, count_flops
from green_optuna.models.memory import peak_memory_bytes
from green_optuna.models.parameters import ParameterCount, count_parameters

__all__ = [
    "FlopCount",
    "ParameterCount",
    "count_flops",
    "count_parameters",
    "peak_memory_bytes",
]
