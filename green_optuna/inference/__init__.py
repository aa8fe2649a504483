"""What a model's inference costs: energy and time a sample, operations, memory, parameters."""

from green_optuna.inference.cost import InferenceCost, call_in_words
from green_optuna.inference.options import InferenceOptions
from green_optuna.inference.run import InferenceRun, measure_inference

__all__ = [
    "InferenceCost",
    "InferenceOptions",
    "InferenceRun",
    "call_in_words",
    "measure_inference",
]
