"""What a model is made of and takes to run: parameters, floating-point operations, memory."""

from green_optuna.models.parameters import ParameterCount, count_parameters

__all__ = ["ParameterCount", "count_parameters"]
