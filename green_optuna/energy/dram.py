"""The memory's own energy counters, which some processors have and CodeCarbon leaves out.

Servers count their memory's energy in a domain of RAPL inside each package. CodeCarbon passes
those over, since it adds an estimate of the memory to the packages' energy; where they can be
read, they are read here instead of the estimate, with CodeCarbon's own reader of such files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.energy.channels import rapl_channel
from green_optuna.energy.member import DRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from green_optuna.energy.member import Channel

RESOLUTION_S = 0.001


def dram_counters(packages: Iterable[str]) -> list[Any]:
    """Find the memory's counter of each package; none unless all packages have one.

    Args:
        packages: The ``energy_uj`` files of the packages.

    Returns:
        CodeCarbon's readers of the files.
    """
    from codecarbon.core.rapl import RAPLFile

    counters = []
    for package in packages:
        own = [folder for folder in _domains(Path(package).parent) if _name(folder) == "dram"]
        if not own:
            return []
        files = [str(own[0] / file) for file in ("energy_uj", "max_energy_range_uj")]
        counters.append(RAPLFile(name="dram", path=files[0], max_path=files[1]))
    # Of half a memory nothing is known: all of them give a figure, or none is used.
    return counters if all(one.last_energy is not None for one in counters) else []


def dram_channels(counters: Sequence[Any]) -> Iterator[Channel]:
    """Read the counters; one that cannot be read is left out."""
    for counter in counters:
        counter.start()
        yield from rapl_channel(counter, DRAM, RESOLUTION_S)


def _domains(package: Path) -> list[Path]:
    return sorted(one for one in package.glob("*:*") if (one / "energy_uj").exists())


def _name(domain: Path) -> str:
    try:
        return (domain / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
