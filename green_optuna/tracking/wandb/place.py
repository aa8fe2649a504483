"""Where a tracker logs: the project, whether it is sent, and the folder of W&B's own files."""

from __future__ import annotations

import importlib.util
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.errors import MissingPackageError, OptionError, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_PROJECT = "green_optuna"
MODES = ("online", "offline")

# As W&B's own settings have it.
MAX_PROJECT = 128
_REFUSED = "/\\#?%:"

# What WANDB_MODE may say beside them.
_OTHER_NAMES = {"run": "online", "dryrun": "offline"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs go.

    Attributes:
        project: The project.
        mode: "online", "offline", or "disabled" where ``WANDB_MODE`` says so.
        folder: The folder in which W&B makes its own, as an absolute path.
    """

    project: str
    mode: str
    folder: Path

    @property
    def runs_folder(self) -> Path:
        """The folder in which each run has one."""
        hidden = self.folder / ".wandb"
        return hidden if hidden.exists() else self.folder / "wandb"

    def make_folder(self) -> None:
        """Make the folder if need be.

        Raises:
            TrackerError: It cannot be made or written to: W&B would go elsewhere.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(self.folder, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            raise TrackerError(
                f"W&B cannot write to {str(self.folder)!r}: pass WandbTracker(folder=...) with a "
                "folder that can be written to."
            )


def check_installed() -> None:
    """Hold that W&B can be imported, without importing it: that takes seconds.

    Raises:
        MissingPackageError: It is not installed.
    """
    # A folder of that name is what W&B leaves where it has logged, and no package.
    found = importlib.util.find_spec("wandb")
    if found is None or found.origin is None:
        raise MissingPackageError(
            'WandbTracker needs Weights & Biases: pip install "green_optuna[wandb]"'
        )


def check_project(project: str) -> None:
    """Hold that W&B takes a name for a project.

    Raises:
        OptionError: It does not.
    """
    wrong = sorted({character for character in project if character in _REFUSED})
    if wrong or not project.strip() or len(project) > MAX_PROJECT:
        what = f"it has {' '.join(wrong)}" if wrong else f"it has {len(project)} characters"
        raise OptionError(
            f"project is {project!r}, which W&B does not take ({what}): give 1 to {MAX_PROJECT} "
            f"characters, none of {' '.join(_REFUSED)}"
        )


def check_mode(mode: str | None) -> None:
    """Hold that a mode is one of W&B's that make runs.

    Raises:
        OptionError: It is not.
    """
    if mode is not None and mode not in MODES:
        raise OptionError(
            f'mode is {mode!r}: give "online", "offline", or None for what WANDB_MODE says.'
        )


def find_place(
    project: str | None,
    mode: str | None,
    folder: str | None,
    *,
    settings: Callable[[], Any],
) -> Place:
    """Find what is not given, as W&B does.

    Args:
        project: The project; else ``WANDB_PROJECT``, else ``green_optuna``.
        mode: The mode; else ``WANDB_MODE``, else what the settings say.
        folder: The folder; else ``WANDB_DIR``, else the working folder.
        settings: Gives W&B's settings of this process, with those of its files.

    Raises:
        TrackerError: The environment says what cannot be used.
    """
    return Place(
        project or _project_of_environment(),
        mode or _mode_of_environment(settings),
        Path(folder or os.environ.get("WANDB_DIR") or Path.cwd()).absolute(),
    )


def _project_of_environment() -> str:
    project = os.environ.get("WANDB_PROJECT") or DEFAULT_PROJECT
    try:
        check_project(project)
    except OptionError as error:
        raise TrackerError(f"WANDB_PROJECT cannot be used: {error}") from None
    return project


def _mode_of_environment(settings: Callable[[], Any]) -> str:
    # `wandb offline` writes it to a file, which W&B reads.
    said = os.environ.get("WANDB_MODE") or settings().mode
    mode = _OTHER_NAMES.get(said, said)
    if mode not in (*MODES, "disabled"):
        raise TrackerError(
            f'WANDB_MODE is {said!r}: set it to "online" or "offline", or pass '
            'WandbTracker(mode="offline").'
        )
    return mode


def sync_command(folder: Path, digests: Iterable[str] = ()) -> str:
    """Give the command that sends runs, as it can be typed in any folder.

    Args:
        folder: That of one online run; or the one in which each run has one, with ``digests``.
        digests: What the ids of each study's offline runs begin with: no others are sent.
    """
    quoted = shlex.quote(str(folder))
    several = [f"{quoted}/offline-run-*-{digest}-*" for digest in digests]
    return " ".join(
        ["wandb sync", *several] if several else ["wandb sync --include-online", quoted]
    )
