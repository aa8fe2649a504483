"""The layers that the modules keep, the weight of the import, and the public names."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import green_optuna

PACKAGE = "green_optuna"
ROOT = Path(__file__).parents[1] / PACKAGE

# A module, or a folder, imports only from what stands before it here. The files inside one
# folder are free to import one another, as long as there is no circle.
LAYERS = (
    "errors",
    "scalars",
    "plain",
    "locks",
    "deadline",
    "pickling",
    "urls",
    "units",
    "intervals",
    "folders",
    "markup",
    "latex",
    "sketch",
    "catalogue",
    "intensities",
    "devices",
    "carbon",
    "quality",
    "scores",
    "pareto",
    "doubt",
    "rules",
    "models",
    "estimate",
    "references",
    "energy",
    "inference",
    "forecast",
    "ledger",
    "terms",
    "runs",
    "saving",
    "record",
    "pooling",
    "repricing",
    "checkpoints",
    "candidates",
    "provenance",
    "journal",
    "trial_rows",
    "figures",
    "drawing",
    "displays",
    "cards",
    "selection",
    "uncertainty",
    "report",
    "front",
    "tracking",
    "registry",
    "measured",
    "measure",
    "progress",
    "history",
    "forecasting",
    "pruning",
    "budget",
    "study",
    "trial",
    "trial_inference",
    "outcome",
    "repeats",
    "options",
    "joining",
    "session",
    "trial_saving",
    "trial_progress",
    "trial_pruning",
    "trial_budget",
    "trial_forecast",
    "trial_run",
    "objective",
    "repeating",
    "notebook",
    "engines",
    "doctor",
    "paper",
    "config",
    "cli",
)

# Each takes a noticeable part of a second to import, or is an optional part.
LATE_PACKAGES = (
    "IPython",
    "codecarbon",
    "hydra",
    "matplotlib",
    "mlflow",
    "moocore",
    "pandas",
    "plotly",
    "rich",
    "torch",
    "typer",
    "wandb",
)

Graph = dict[str, set[str]]


def find_modules(root: Path) -> dict[str, Path]:
    """The file of each module under a package's folder, by its dotted name."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def absolute_base(node: ast.ImportFrom, package: str) -> str:
    """The dotted name that the `from` part of an import stands for inside a package."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def imported_modules(name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules of the same package that one of them imports, wherever the import stands."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(node, package)
            members = {f"{base}.{alias.name}" for alias in node.names}
            found.update(members & modules.keys())
            if not members <= modules.keys():
                found.add(base)
    top = name.partition(".")[0]
    return {target for target in found if target.partition(".")[0] == top} - {name}


def import_graph(root: Path) -> Graph:
    """What each module under a package's folder imports from that package."""
    modules = find_modules(root)
    return {name: imported_modules(name, path, modules) for name, path in modules.items()}


def layer(name: str) -> str:
    """The layer of a dotted name; the package itself is `__init__`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def allowed_layers(own: str) -> set[str]:
    """The layers from which a layer may import, itself among them."""
    if own == "__init__":
        return set(LAYERS)
    if own == "__main__":
        return {"cli"}
    return set(LAYERS[: LAYERS.index(own) + 1])


def layer_faults(graph: Graph) -> list[str]:
    """One sentence for each module without a place, and for each import that goes down."""
    faults = []
    for name, targets in sorted(graph.items()):
        own = layer(name)
        if own not in (*LAYERS, "__init__", "__main__"):
            faults.append(f"{name} has no layer: add {own!r} to LAYERS, in its place")
            continue
        faults.extend(
            f"{name} imports {target}, which is not above it"
            for target in sorted(targets)
            if layer(target) not in allowed_layers(own)
        )
    return faults


def find_cycle(graph: Graph) -> list[str]:
    """The modules along one circle of imports, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return []


def own_names(path: Path) -> set[str]:
    """The names that a package's `__init__.py` takes from its own modules, lazily or not."""
    return {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and absolute_base(node, PACKAGE).partition(".")[0] == PACKAGE
        for alias in node.names
    }


def export_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps (RUF022)."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[:1].isupper() else 2), name


def write_package(root: Path, sources: dict[str, str]) -> Path:
    """A package with the given files, each with the given text."""
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_each_module_imports_only_from_layers_above_it() -> None:
    """No module imports from a layer below its own, and each one has a layer."""
    graph = import_graph(ROOT)
    assert f"{PACKAGE}.errors" in graph
    faults = layer_faults(graph)
    assert not faults, "\n".join(faults)


def test_no_modules_import_one_another_in_a_circle() -> None:
    """The imports have an order, inside the folders too."""
    assert find_cycle(import_graph(ROOT)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import green_optuna.cli",
        "import numpy, green_optuna.cli as command_line",
        "from green_optuna import cli",
        "from green_optuna.cli import main",
        "from . import cli",
        "from .cli import main",
        "def late() -> None:\n    from green_optuna.cli import main",
        "import typing as t\nif t.TYPE_CHECKING:\n    from green_optuna.cli import main",
    ],
)
def test_an_import_that_goes_down_is_found_however_it_is_written(tmp_path: Path, line: str) -> None:
    """The check on the layers sees each form of import, late ones and those for types too."""
    sources = {"__init__.py": "", "units.py": line, "cli.py": ""}
    graph = import_graph(write_package(tmp_path / PACKAGE, sources))
    assert layer_faults(graph) == [
        "green_optuna.units imports green_optuna.cli, which is not above it"
    ]


def test_a_folder_is_one_layer(tmp_path: Path) -> None:
    """Files of one folder may import one another and from above, but not from below."""
    sources = {
        "__init__.py": "from .energy import Meter",
        "units.py": "",
        "energy/__init__.py": "from .meter import Meter",
        "energy/meter.py": "from .. import units\nfrom . import trace",
        "energy/trace.py": "from ..record import TrialRecord",
        "record.py": "",
    }
    graph = import_graph(write_package(tmp_path / PACKAGE, sources))
    assert layer_faults(graph) == [
        "green_optuna.energy.trace imports green_optuna.record, which is not above it"
    ]


def test_a_module_that_takes_a_name_from_the_package_itself_is_found(tmp_path: Path) -> None:
    """`__init__` stands below every module, so none may import from it."""
    sources = {"__init__.py": "", "cli.py": "from green_optuna import Grid"}
    graph = import_graph(write_package(tmp_path / PACKAGE, sources))
    assert layer_faults(graph) == [
        "green_optuna.cli imports green_optuna, which is not above it",
    ]


def test_the_entry_point_imports_the_command_line_only(tmp_path: Path) -> None:
    """`__main__` hands over to `cli` and knows of nothing else."""
    sources = {
        "__main__.py": "from green_optuna.cli import main\nfrom green_optuna.units import x",
        "cli.py": "",
        "units.py": "",
    }
    graph = import_graph(write_package(tmp_path / PACKAGE, sources))
    assert layer_faults(graph) == [
        "green_optuna.__main__ imports green_optuna.units, which is not above it"
    ]


def test_a_module_without_a_layer_is_found(tmp_path: Path) -> None:
    """A new module must be given its place among the layers."""
    graph = import_graph(write_package(tmp_path / PACKAGE, {"helpers.py": ""}))
    assert layer_faults(graph) == [
        "green_optuna.helpers has no layer: add 'helpers' to LAYERS, in its place"
    ]


def test_a_circle_inside_a_folder_is_found(tmp_path: Path) -> None:
    """A late import hides a circle from Python, but not from the check."""
    sources = {
        "energy/__init__.py": "",
        "energy/meter.py": "from green_optuna.energy import trace",
        "energy/trace.py": "def late() -> None:\n    from .meter import Meter",
    }
    cycle = find_cycle(import_graph(write_package(tmp_path / PACKAGE, sources)))
    assert set(cycle) == {"green_optuna.energy.meter", "green_optuna.energy.trace"}


def test_the_import_loads_no_heavy_package() -> None:
    """`import green_optuna` leaves alone what only some calls need."""
    code = f"import sys, {PACKAGE}; print(*sorted({set(LATE_PACKAGES)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_every_public_name_resolves() -> None:
    """What `__all__` promises is there."""
    missing = [name for name in green_optuna.__all__ if not hasattr(green_optuna, name)]
    assert missing == []


def test_the_public_names_are_sorted_and_each_stands_once() -> None:
    """`__all__` lists constants, classes and functions, each in alphabetical order."""
    assert list(green_optuna.__all__) == sorted(set(green_optuna.__all__), key=export_order)


def test_the_public_names_are_all_there() -> None:
    """`__all__` is what `__init__` takes from the package's modules, and nothing is left out."""
    public = {name for name in own_names(ROOT / "__init__.py") if not name.startswith("_")}
    assert public == {name for name in green_optuna.__all__ if not name.startswith("_")}
