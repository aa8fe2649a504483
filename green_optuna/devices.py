"""Rated power of accelerators and processors, looked up by name.

Accelerators are in ``devices.csv`` beside this file, each with the manufacturer's document or the
paper that states its figure. Not all of these could be opened: the other figures were compared with
what others quote of them. Processors are those of the installed CodeCarbon's own file, of
which nothing is added or changed here.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from green_optuna.catalogue import codecarbon, codecarbon_data, nearest
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["gpu", "accelerator", "cpu", "other"]
"""What a device is: "other" where only its power was given."""

_TABLE: Final = Path(__file__).with_name("devices.csv")

# What is put before a name or left out at will, by people and by drivers, and whose name it is.
_MAKERS: Final = MappingProxyType(
    {
        **dict.fromkeys(("nvidia", "tesla", "geforce", "quadro"), "NVIDIA"),
        **dict.fromkeys(("amd", "radeon", "instinct"), "AMD"),
        **dict.fromkeys(("intel", "habana"), "Intel"),
        **dict.fromkeys(("google", "cloud"), "Google"),
    }
)
_PLAIN: Final = frozenset({"cpu", "gpu", "processor"})
# What a system adds to a processor's name: "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz",
# "AMD EPYC 7763 64-Core Processor".
_NOISE: Final = re.compile(
    r"\((?:r|tm)\)|[®™]|@.*|\b\d+-core\b|\b\d+th gen\b|\bwith radeon.*", re.IGNORECASE
)
_POWER: Final = re.compile(r"\d+(?:\.\d+)?")
_WORD: Final = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of hardware, with the power it is rated for.

    Attributes:
        name: What it is called here.
        kind: "gpu", "accelerator", "cpu" (one processor, whatever its cores), or "other".
        rated_power_w: The most power it is rated for, in W (TDP, board power).
        source: Where that figure is from.
    """

    name: str
    kind: Kind
    rated_power_w: float
    source: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A device with what it can be found by: its model, its name and other names of it."""

    device: Device
    model: str
    maker: str
    names: tuple[tuple[str, ...], ...]


def find_devices(name: str) -> tuple[Device, ...]:
    """Return the devices that a name may mean, the one of most power first.

    Capitals, spaces, hyphens and the makers' names do not matter, nor does the order of the words:
    "A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "rtx3090". A model alone ("A100"), or with some of
    its words ("A100 80GB"), means all of its variants that have them.

    Args:
        name: The name of one of `known_devices`.

    Raises:
        OptionError: The name is unknown; the message names the nearest.
        MissingPackageError: No accelerator has that name, and CodeCarbon is not installed.
    """
    words, maker = fold(name), _maker(name)
    entries = [entry for entry in _accelerators() if maker in (entry.maker, None)]
    exact = [entry.device for entry in entries if _has_name(entry, words)]
    found = exact or [entry.device for entry in entries if _is_variant(entry, words)]
    if not found and words:
        # The file has some processors twice, with and without the maker's name.
        found = list({one.rated_power_w: one for one in _processors_named(words, maker)}.values())
    if not found:
        raise OptionError(
            f"hardware={name!r} is unknown.{_nearest(words)} Name a device that green-optuna "
            f"estimate --list shows, or give the power of one in W as well, such as power_w=350."
        )
    return tuple(sorted(found, key=lambda device: (-device.rated_power_w, device.name)))


def known_devices(containing: str = "") -> tuple[Device, ...]:
    """Return the devices that can be named: accelerators, then processors.

    Args:
        containing: Some words, or parts of words, spelt as `find_devices` takes them; only
            devices with all of them in one of their names.

    Raises:
        MissingPackageError: CodeCarbon, whose processors they are, is not installed.
    """
    words, maker = ["".join(fold(word)) for word in containing.split()], _maker(containing)
    accelerators = (
        entry.device
        for entry in _accelerators()
        if maker in (entry.maker, None) and any(_has_parts(name, words) for name in entry.names)
    )
    processors = (
        device
        for device in _processors()
        if maker in (_maker(device.name), None) and _has_parts(fold(device.name), words)
    )
    return (*accelerators, *processors)


def fold(name: str) -> tuple[str, ...]:
    """Return what counts of a name: its words and numbers, without makers and capitals.

    >>> fold("NVIDIA Tesla V100-SXM2-16GB")
    ('v', '100', 'sxm', '2', '16', 'gb')
    """
    return tuple(word for word in _words(name) if word not in _MAKERS and word not in _PLAIN)


def _has_parts(name: tuple[str, ...], parts: Iterable[str]) -> bool:
    """Tell whether a name, its words run together, has all of the parts."""
    return all(part in "".join(name) for part in parts)


def _words(name: str) -> list[str]:
    return _WORD.findall(_NOISE.sub(" ", name).casefold())


def _maker(name: str) -> str | None:
    """Return the maker that a name tells, if any: an Intel A100 is no NVIDIA A100."""
    return next((_MAKERS[word] for word in _words(name) if word in _MAKERS), None)


def _nearest(words: tuple[str, ...]) -> str:
    """Ask which device is meant: one of the accelerators, or else one of the processors."""
    entries = _accelerators()
    for names in (
        [*(entry.model for entry in entries), *(entry.device.name for entry in entries)],
        [device.name for device in _processors()],
    ):
        if asked := nearest(" ".join(words), {" ".join(fold(name)): name for name in names}):
            return asked
    return ""


def _has_name(entry: _Entry, words: tuple[str, ...]) -> bool:
    """Tell whether this is a device's own name, its words in any order or run together."""
    said = (sorted(words), "".join(words))
    return any(sorted(name) == said[0] or "".join(name) == said[1] for name in entry.names)


def _is_variant(entry: _Entry, words: tuple[str, ...]) -> bool:
    """Tell whether a name is of a device's model, and says nothing that the device is not."""
    said = set(words)
    return set(fold(entry.model)) <= said and any(said <= set(name) for name in entry.names)


def _processors_named(words: tuple[str, ...], maker: str | None) -> Iterator[Device]:
    for device in _processors():
        of_the_maker = maker is None or _maker(device.name) in (maker, None)
        if of_the_maker and fold(device.name) == words:
            yield device


@lru_cache
def _accelerators() -> tuple[_Entry, ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(_entry(row) for row in csv.DictReader(file))


def _entry(row: dict[str, str]) -> _Entry:
    kind: Kind = "gpu" if row["kind"] == "gpu" else "accelerator"
    names = (row["name"], *filter(None, row["aliases"].split(";")))
    return _Entry(
        device=Device(row["name"], kind, float(row["rated_power_w"]), row["source"]),
        model=row["model"],
        maker=row["maker"],
        names=tuple(map(fold, names)),
    )


@lru_cache
def _processors() -> tuple[Device, ...]:
    """Read CodeCarbon's processors, but for those whose power it does not know or garbles."""
    path = codecarbon_data("hardware", wanted="Names of processors") / "cpu_power.csv"
    if not path.is_file():
        raise OptionError(
            f"{codecarbon()} has no file {path}; pip install --upgrade codecarbon, or pass power_w."
        )
    source = f"{codecarbon()}, cpu_power.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(" ".join(row["Name"].split()), row["TDP"]) for row in csv.DictReader(file)]
    return tuple(
        Device(name, "cpu", float(tdp), source)
        for name, tdp in rows
        if _POWER.fullmatch(tdp) and float(tdp) > 0
    )
