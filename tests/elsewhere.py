"""Models loaded in a process that knows nothing of where they were made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PREDICT = """
import json, sys
import mlflow.pytorch, mlflow.sklearn, mlflow.lightgbm
import numpy as np, torch

found = []
for flavor, uri in json.loads(sys.argv[1]):
    model = getattr(mlflow, flavor).load_model(uri)
    rows = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
    if flavor == "pytorch":
        with torch.no_grad():
            found.append(model(torch.from_numpy(rows)).tolist())
    else:
        found.append(model.predict(rows).tolist())
print(json.dumps(found))
"""

ROWS = [[0.0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6, 0.7], [0.8, 0.9, 1.0, 1.1]]
"""What the models are given, in the shape of (3, 4)."""


def predict_elsewhere(
    models: Sequence[tuple[str, str]], folder: Path, *, tracking_uri: str | None = None
) -> list[list[list[float]]]:
    """Load models in a fresh process, in a folder of its own; give what each says of ROWS.

    Args:
        models: MLflow's names for their kinds, with their URIs or folders.
        folder: The folder, made if need be.
        tracking_uri: MLflow's store, for URIs.
    """
    folder.mkdir(exist_ok=True)
    environment = dict(os.environ)
    if tracking_uri is not None:
        environment["MLFLOW_TRACKING_URI"] = tracking_uri
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PREDICT, json.dumps([*models])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: list[list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return said
