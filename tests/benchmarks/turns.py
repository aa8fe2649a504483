"""Variants that take turns, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WARM_UP_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """Something to time.

    Attributes:
        name: Its name in the table.
        run: Runs it once.
    """

    name: str
    run: Callable[[], object]


def measure(variants: Sequence[Variant], rounds: int) -> dict[str, list[float]]:
    """Time the variants in turns: for each, the time of every round in ms.

    The first rounds, which import and probe, are not counted.
    """
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for number in range(-WARM_UP_ROUNDS, rounds):
        for variant in variants:
            began_s = time.perf_counter()
            variant.run()
            took_s = time.perf_counter() - began_s
            if number >= 0:
                times[variant.name].append(1000 * took_s)
    return times


def machine(packages: Sequence[str]) -> Iterator[str]:
    """Say on what it ran."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    yield f"{platform.platform()}, {os.cpu_count()} cores{load}"
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    yield f"Python {platform.python_version()}, {versions}"
