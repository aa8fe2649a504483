"""The tables and fronts of Douwes, Esling and Briot (2021), computed from the paper's inputs."""

from green_optuna.paper.reproduction import Reproduction, reproduce

__all__ = ["Reproduction", "reproduce"]
