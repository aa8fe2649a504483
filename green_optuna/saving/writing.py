"""A model written as a folder in MLflow's form, fast: what it requires is known, not inferred.

MLflow finds out what a model requires by loading it in another process, which takes seconds; here
the pickle itself says which packages it names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import logging
import platform
import shutil
import sys
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from green_optuna.energy.fingerprint import hardware
from green_optuna.errors import ModelError
from green_optuna.models.calls import shown_error
from green_optuna.saving.pickled import with_own_code
from green_optuna.saving.quiet import quiet_loggers
from green_optuna.saving.saved import SavedModel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from green_optuna.saving.snapshot import Snapshot

_PACKAGES = {"pytorch": "torch", "sklearn": "scikit-learn", "lightgbm": "lightgbm"}

# They warn of each pickle, and of versions that were asked for on purpose.
_CHATTY_LOGGERS = (
    *("mlflow.pytorch", "mlflow.sklearn", "mlflow.lightgbm"),
    *("mlflow.models.model", "mlflow.models.signature", "mlflow.utils.requirements_utils"),
)


def write_model(snapshot: Snapshot, folder: Path) -> SavedModel:
    """Write a model to a new folder, which MLflow can load; nothing is left where that fails.

    Args:
        snapshot: The model.
        folder: The folder, which does not exist yet.

    Raises:
        ModelError: It cannot be written; the message says what to do.
    """
    if snapshot.error is not None:
        raise ModelError(snapshot.error)
    try:
        with quiet_loggers(_CHATTY_LOGGERS, logging.ERROR):
            if snapshot.inputs:
                _write_graph(snapshot, folder)
            else:
                _write_pickle(snapshot, folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ModelError) or not isinstance(error, Exception):
            raise
        raise ModelError(f"The model could not be written: {shown_error(error)}") from error
    return SavedModel(
        flavor=snapshot.flavor,
        form="pt2" if snapshot.inputs else "pickle",
        hardware=tuple(item for item in hardware() if item),
        versions=_versions(_PACKAGES[snapshot.flavor]),
        folder=folder,
    )


def _write_pickle(snapshot: Snapshot, folder: Path) -> None:
    save, takes = _saver(snapshot.flavor)
    form = "pickle" if snapshot.flavor == "pytorch" else "cloudpickle"
    options = {"serialization_format": form} if "serialization_format" in takes else {}
    with with_own_code(snapshot.model) as packages:
        required = requirements({_PACKAGES[snapshot.flavor], "cloudpickle"}, packages)
        save(snapshot.model, path=str(folder), pip_requirements=required, **options)


def _write_graph(snapshot: Snapshot, folder: Path) -> None:
    """Write the graph of a torch module, traced on its example inputs.

    Raises:
        ModelError: MLflow is too old, or torch.export cannot trace it.
    """
    save, takes = _saver("pytorch")
    if "serialization_format" not in takes:
        raise ModelError(
            f"MLflow {metadata.version('mlflow')} does not store graphs: update it "
            "(pip install -U mlflow), or leave inputs= out."
        )
    inputs = snapshot.inputs
    try:
        save(
            snapshot.model,
            path=str(folder),
            serialization_format="pt2",
            pip_requirements=requirements({"torch", "numpy"}),
            **(
                {"input_example": inputs[0]}
                if len(inputs) == 1
                else {"input_example": list(inputs), "signature": _signature(inputs)}
            ),
        )
    except Exception as error:
        raise ModelError(
            f"The graph of the model could not be stored ({shown_error(error)}). Leave inputs= out "
            "to store the module itself, as a pickle with its code."
        ) from error


def _signature(inputs: Iterable[npt.NDArray[np.generic]]) -> object:
    """Say what several inputs are, of any number of samples."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    specs: list[ColSpec | TensorSpec] = [
        TensorSpec(one.dtype, (-1, *one.shape[1:]), name=f"input_{position}")
        for position, one in enumerate(inputs)
    ]
    return ModelSignature(inputs=Schema(specs))


def _saver(flavor: str) -> tuple[Any, Collection[str]]:
    """Give MLflow's function that writes models of a kind, and what it takes."""
    if "mlflow.pyfunc.model" not in sys.modules:
        with warnings.catch_warnings():
            # Of a type of its own, which it imports.
            warnings.filterwarnings("ignore", ".*Any type hint is inferred", UserWarning)
            importlib.import_module("mlflow.pyfunc.model")
    save = importlib.import_module(f"mlflow.{flavor}").save_model
    return save, inspect.signature(save).parameters


def requirements(distributions: Iterable[str], packages: Iterable[str] = ()) -> list[str]:
    """Give the lines for pip that install what a model needs, at the versions that are here.

    Args:
        distributions: Names of distributions.
        packages: Names of packages that they are imported by.
    """
    known = _distributions()
    named = {*distributions, *(one for package in packages for one in known.get(package, ())[:1])}
    # A build's label, as in 2.13.0+cpu, is on no index.
    return sorted(f"{name}=={metadata.version(name).partition('+')[0]}" for name in named)


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Give the distributions by the names of the packages in them; it takes a quarter second."""
    return metadata.packages_distributions()


def _versions(package: str) -> dict[str, str]:
    names = ("green_optuna", "optuna", "codecarbon", "mlflow", package)
    versions = {"python": platform.python_version()}
    for name in names:
        # The library itself may run from a folder, not installed.
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
