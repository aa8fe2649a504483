"""Run the quickstart notebook in a folder of its own, and keep its outputs in it.

PYTHONPATH=tests python -m notebooks
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "examples" / "quickstart.ipynb"


def own_environment(folder: Path) -> dict[str, str]:
    """Make folders in one folder, and give variables that keep all that a kernel writes there."""
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    own = {name: str(folder / ".jupyter" / name.lower()) for name in names}
    for path in own.values():
        Path(path).mkdir(parents=True, exist_ok=True)
    return own | {
        "HOME": str(folder),
        "GREEN_OPTUNA_STATE_FOLDER": str(folder / "state"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": str(ROOT),
        # What Optuna's progress bar says where ipywidgets is not installed, with a path.
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }


def run_notebook(
    notebook: NotebookNode, folder: Path, *, environment: Mapping[str, str] | None = None
) -> NotebookNode:
    """Run a notebook's cells in a new kernel, in a folder.

    Args:
        notebook: The notebook, which gets the outputs.
        folder: Where the kernel runs.
        environment: The kernel's variables, the folder's own unless given.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised.
    """
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,  # it would put the hour into the file
    )
    client.execute(env=os.environ | (environment or own_environment(folder)))
    return notebook


def read_quickstart() -> NotebookNode:
    """Read the notebook as it is kept."""
    notebook: NotebookNode = nbformat.read(QUICKSTART, as_version=4)
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Give the cells that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def html_of(cell: NotebookNode) -> str:
    """Give what a cell shows as HTML."""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def main() -> None:
    """Run the notebook, and write it back with its outputs."""
    notebook = read_quickstart()
    with tempfile.TemporaryDirectory() as name:
        run_notebook(notebook, Path(name))
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.validate(notebook)
    nbformat.write(notebook, QUICKSTART)


if __name__ == "__main__":
    main()
