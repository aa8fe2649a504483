"""What is kept of a model that was saved with its trial, and where its files wait."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from green_optuna.folders import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """What became of a trial's model that was to be saved.

    Attributes:
        flavor: MLflow's name for its kind, such as "pytorch": ``mlflow.pytorch.load_model`` gives
            it back. None where it was not saved.
        form: What its file is: "pickle", or "pt2" for a graph without code, as torch.export makes.
        hardware: What the machine is that trained it, one item each.
        versions: The versions of Python and of the packages that made it, by name.
        error: Why it was not saved; None where it was.
        folder: Where its files wait for the trackers that keep models, on this machine; None once
            they have them.
    """

    flavor: str | None = None
    form: str | None = None
    hardware: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    folder: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give what a study keeps of it, ready for JSON: all but its folder."""
        if self.error is not None:
            return {"error": self.error}
        return {
            "flavor": self.flavor,
            "form": self.form,
            "hardware": list(self.hardware),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], *, folder: str | None = None) -> Self:
        """Undo :meth:`to_dict`.

        Args:
            kept: What a study keeps.
            folder: Where its files wait, if they do.
        """
        return cls(
            flavor=kept.get("flavor"),
            form=kept.get("form"),
            hardware=tuple(kept.get("hardware", ())),
            versions=kept.get("versions", {}),
            error=kept.get("error"),
            folder=None if folder is None else Path(folder),
        )

    def __str__(self) -> str:
        """Say in a few words what became of it."""
        if self.error is not None:
            return f"not saved: {self.error}"
        return f"{self.flavor}, as {'a pickle' if self.form == 'pickle' else self.form}"


def models_folder(study_key: str, number: int) -> Path:
    """Give a new place for a trial's model in the user's state folder, which only they can read.

    Args:
        study_key: The key of the study in the trackers.
        number: The trial's number.

    Raises:
        OSError: It cannot be made.
        OptionError: The state folder cannot be used.
    """
    parent = state_folder() / "models" / study_key
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return parent / f"{number}-{uuid.uuid4().hex[:8]}"


def discard(saved: SavedModel | None) -> None:
    """Remove the files of a model that all who keep it have, or that nobody shall have."""
    if saved is not None and saved.folder is not None:
        shutil.rmtree(saved.folder, ignore_errors=True)
