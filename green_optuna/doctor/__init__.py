"""What this host can measure, what it estimates and why, and how noisy it is."""

from green_optuna.doctor.diagnosis import (
    ComponentDiagnosis,
    Diagnosis,
    diagnose,
    diagnose_components,
)

__all__ = ["ComponentDiagnosis", "Diagnosis", "diagnose", "diagnose_components"]
