"""Hyperparameter search that measures what each trial costs the climate.

``green_objective`` makes an Optuna objective return ``(1 - quality, CO2e in kg, parameters)``
from the measured run; ``pareto_front`` and its ``select`` choose among the trials.
"""

from green_optuna.budget import (
    Budget,
    BudgetReached,
    CarbonBudget,
    EndedTrial,
    Spending,
    StopWhenFlat,
)
from green_optuna.carbon import Grid
from green_optuna.cards import ModelCard
from green_optuna.devices import Device
from green_optuna.doctor import ComponentDiagnosis, Diagnosis, diagnose
from green_optuna.energy import (
    ComponentEnergy,
    Measurement,
    Meter,
    MeterOptions,
    ReplayMeter,
    Source,
    Trace,
)
from green_optuna.errors import (
    DirectionsError,
    EmptyStudyError,
    GreenOptunaError,
    GridError,
    MeterError,
    MissingPackageError,
    MixedStudyError,
    ModelError,
    NoModelMeetsCapsError,
    ObjectiveError,
    OptionError,
    QualityError,
    RegistryError,
    StudyError,
    TermsError,
    TrackerError,
    TrialTimeoutError,
)
from green_optuna.estimate import Estimate, estimate
from green_optuna.forecast import Expected, Forecast
from green_optuna.forecasting import forecast_trial
from green_optuna.front import ParetoFront, pareto_front
from green_optuna.history import History, PastTrial
from green_optuna.inference import InferenceCost, InferenceOptions, measure_inference
from green_optuna.intervals import Interval
from green_optuna.ledger import Ledger, LedgerRow, Saved
from green_optuna.measure import MeasuredFunction, measure
from green_optuna.measured import MeasuredRun
from green_optuna.models import (
    FlopCount,
    ParameterCount,
    count_flops,
    count_parameters,
    peak_memory_bytes,
)
from green_optuna.notebook import StudyDisplay
from green_optuna.objective import GreenObjective, green_objective
from green_optuna.options import ObjectiveOptions
from green_optuna.progress import LearningCurve, Progress
from green_optuna.pruning import (
    CapPruner,
    DominancePruner,
    ParetoHalvingPruner,
    Pruner,
)
from green_optuna.quality import QualityBounds
from green_optuna.record import Report, TrialRecord
from green_optuna.references import PlacedReference, ReferencePoint, read_references
from green_optuna.registry import RegisteredModel, register
from green_optuna.repeating import repeat_trials
from green_optuna.rules import (
    BestQuality,
    Capped,
    Contribution,
    Custom,
    EpsilonConstraint,
    Knee,
    Lexicographic,
    MinCO2e,
    Ranking,
    Rule,
    Tolerance,
    Utopia,
    WeightedSum,
)
from green_optuna.runs import RunRecord
from green_optuna.saving import SavedModel
from green_optuna.scores import (
    RelativeScore,
    energy_weighted_score,
    mean_opinion_score,
    relative_score,
)
from green_optuna.selection import Saving, Selection
from green_optuna.study import create_study, load_study
from green_optuna.terms import StudyTerms
from green_optuna.tracking import (
    MemoryTracker,
    MLflowTracker,
    Point,
    Tracker,
    WandbTracker,
    log_front,
    resend,
    trial_points,
)
from green_optuna.trial import GreenTrial
from green_optuna.uncertainty import Uncertainty, WorthRepeating

__version__ = "0.1.0"

__all__ = [
    "BestQuality",
    "Budget",
    "BudgetReached",
    "CapPruner",
    "Capped",
    "CarbonBudget",
    "ComponentDiagnosis",
    "ComponentEnergy",
    "Contribution",
    "Custom",
    "Device",
    "Diagnosis",
    "DirectionsError",
    "DominancePruner",
    "EmptyStudyError",
    "EndedTrial",
    "EpsilonConstraint",
    "Estimate",
    "Expected",
    "FlopCount",
    "Forecast",
    "GreenObjective",
    "GreenOptunaError",
    "GreenTrial",
    "Grid",
    "GridError",
    "History",
    "InferenceCost",
    "InferenceOptions",
    "Interval",
    "Knee",
    "LearningCurve",
    "Ledger",
    "LedgerRow",
    "Lexicographic",
    "MLflowTracker",
    "MeasuredFunction",
    "MeasuredRun",
    "Measurement",
    "MemoryTracker",
    "Meter",
    "MeterError",
    "MeterOptions",
    "MinCO2e",
    "MissingPackageError",
    "MixedStudyError",
    "ModelCard",
    "ModelError",
    "NoModelMeetsCapsError",
    "ObjectiveError",
    "ObjectiveOptions",
    "OptionError",
    "ParameterCount",
    "ParetoFront",
    "ParetoHalvingPruner",
    "PastTrial",
    "PlacedReference",
    "Point",
    "Progress",
    "Pruner",
    "QualityBounds",
    "QualityError",
    "Ranking",
    "ReferencePoint",
    "RegisteredModel",
    "RegistryError",
    "RelativeScore",
    "ReplayMeter",
    "Report",
    "Rule",
    "RunRecord",
    "Saved",
    "SavedModel",
    "Saving",
    "Selection",
    "Source",
    "Spending",
    "StopWhenFlat",
    "StudyDisplay",
    "StudyError",
    "StudyTerms",
    "TermsError",
    "Tolerance",
    "Trace",
    "Tracker",
    "TrackerError",
    "TrialRecord",
    "TrialTimeoutError",
    "Uncertainty",
    "Utopia",
    "WandbTracker",
    "WeightedSum",
    "WorthRepeating",
    "__version__",
    "count_flops",
    "count_parameters",
    "create_study",
    "diagnose",
    "energy_weighted_score",
    "estimate",
    "forecast_trial",
    "green_objective",
    "load_study",
    "log_front",
    "mean_opinion_score",
    "measure",
    "measure_inference",
    "pareto_front",
    "peak_memory_bytes",
    "read_references",
    "register",
    "relative_score",
    "repeat_trials",
    "resend",
    "trial_points",
]
