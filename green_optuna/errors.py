"""The errors that this library raises, each saying what was wrong and what to do.

::

    GreenOptunaError
    ├── OptionError (ValueError)             an option that cannot be used as it is
    │   ├── GridError                        no place, unknown place, impossible intensity or PUE
    │   └── MissingPackageError (ImportError) an optional package that an option needs
    ├── ObjectiveError (ValueError)          what the objective returned or reported
    │   ├── QualityError                     a quality that is no number, or outside its bounds
    │   └── ModelError (TypeError)           a model that cannot be counted, or run on its inputs
    ├── StudyError (ValueError)              a study that cannot be used as it is
    │   ├── DirectionsError                  its directions do not fit the objectives
    │   ├── TermsError                       it was made on other terms (objectives, grid)
    │   ├── MixedStudyError                  its trials were not all measured alike
    │   └── EmptyStudyError                  it has no completed trial
    ├── NoModelMeetsCapsError (ValueError)   a selection rule whose caps no trial meets
    ├── MeterError (RuntimeError)            a meter that delivered no reading
    └── TrackerError (RuntimeError)          a tracker that could not be used at all
        └── RegistryError                    a chosen model that cannot be registered

    optuna.TrialPruned
    └── budget.BudgetReached                 a trial not started, since a budget is reached

    BaseException
    └── TrialTimeoutError                    inside the user's function only: its time is up
"""


class GreenOptunaError(Exception):
    """The base of every error that this library raises on purpose."""


class OptionError(GreenOptunaError, ValueError):
    """An option has a value that cannot be used; the message names it and the remedy."""


class GridError(OptionError):
    """The electricity grid is missing, unknown, or has an impossible intensity or PUE."""


class MissingPackageError(OptionError, ImportError):
    """An optional package is not installed; the message is the line that installs it."""


class ObjectiveError(GreenOptunaError, ValueError):
    """The user's objective returned something that cannot be made into objectives."""


class QualityError(ObjectiveError):
    """A quality is not a finite number, or lies outside its declared bounds."""


class ModelError(ObjectiveError, TypeError):
    """What was to be counted of a model cannot be told, or the model cannot run on its inputs."""


class StudyError(GreenOptunaError, ValueError):
    """A study cannot be used as it is."""


class DirectionsError(StudyError):
    """A study's directions do not fit the objectives asked of it."""


class TermsError(StudyError):
    """A study was made on other terms: other objectives, carbon intensity or PUE."""


class MixedStudyError(StudyError):
    """A study's completed trials were not all measured alike; the message says how."""


class EmptyStudyError(StudyError):
    """A study has no completed trial to choose from."""


class NoModelMeetsCapsError(GreenOptunaError, ValueError):
    """No trial meets the caps of a selection rule; the message says by how much."""


class MeterError(GreenOptunaError, RuntimeError):
    """A meter delivered no reading, so the energy of a trial is not known."""


class TrackerError(GreenOptunaError, RuntimeError):
    """A tracker cannot be used at all, for a reason that only the user can mend."""


class RegistryError(TrackerError):
    """A chosen model cannot be registered; the message says what to do."""


class TrialTimeoutError(BaseException):
    """The time that ``timeout_s`` gives a trial is up; raised inside the user's function.

    Nobody else sees it: the trial fails, and the study goes on. Like ``KeyboardInterrupt`` it is
    no ``Exception``, so that a training loop that forgives errors by ``except Exception`` does
    not run on for ever. A function may catch it by name to return what it has so far.
    """

    def __init__(self, message: str = "The time that timeout_s gives the trial is up.") -> None:
        super().__init__(message)
