"""The files in which Linux shows the processors' energy counters (RAPL), moved by a test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

# At how many J the counter of a server begins anew.
WRAPS_AT_J = 262143.328850


class FakeRapl:
    """A folder such as ``/sys/class/powercap``, with the domains that a test adds.

    A counter stands still unless a test moves it, as those of some virtual machines do.

    Args:
        folder: Where to put it.
    """

    def __init__(self, folder: Path) -> None:
        self._control = folder / "intel-rapl"
        self._control.mkdir(parents=True)
        # As the kernel has it: this is what CodeCarbon looks for.
        self.subsystem = self._control / "subsystem"
        self.subsystem.symlink_to("..", target_is_directory=True)

    def add(
        self, domain: str, name: str, *, joules: float = 1000.0, wraps_at_j: float = WRAPS_AT_J
    ) -> None:
        """Add a domain.

        Args:
            domain: ``0`` for the first package, ``0:1`` for the second domain within it.
            name: What the kernel calls it, such as ``package-0`` or ``dram``.
            joules: Where its counter begins, in J. Packages whose counters begin alike are taken
                for one.
            wraps_at_j: At how many J it begins anew.
        """
        folder = self._folder(domain)
        folder.mkdir()
        # The kernel lists each domain at the top as well.
        (self._control.parent / folder.name).symlink_to(folder, target_is_directory=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{round(wraps_at_j * 1e6)}\n")
        self._write(domain, round(joules * 1e6))

    def use(self, domain: str, joules: float) -> None:
        """Move a domain's counter forward, in J; it wraps around as a real one does."""
        folder = self._folder(domain)
        used_uj = int((folder / "energy_uj").read_text()) + round(joules * 1e6)
        self._write(domain, used_uj % int((folder / "max_energy_range_uj").read_text()))

    def hide(self, domain: str) -> None:
        """Take a domain's counter away, as when its driver is unloaded."""
        folder = self._folder(domain)
        (folder / "energy_uj").rename(folder / "hidden")

    def show(self, domain: str) -> None:
        """Bring a hidden counter back."""
        folder = self._folder(domain)
        (folder / "hidden").rename(folder / "energy_uj")

    def deny(self, monkeypatch: pytest.MonkeyPatch, *domains: str) -> None:
        """Forbid CodeCarbon to read domains' counters, even where the tests run as root."""
        from codecarbon.core import cpu, rapl

        denied = {(self._folder(domain) / "energy_uj").resolve() for domain in domains}
        access = os.access

        def may_access(path: Any, mode: int) -> bool:  # noqa: ANN401 - as os.access takes it
            return Path(path).resolve() not in denied and access(path, mode)

        def open_allowed(path: str, mode: str = "r") -> Any:  # noqa: ANN401 - as open gives it
            if Path(path).resolve() in denied:
                raise PermissionError(13, "Permission denied", path)
            return Path(path).open(mode)

        monkeypatch.setattr(os, "access", may_access)
        for module in (cpu, rapl):
            monkeypatch.setattr(module, "open", open_allowed, raising=False)

    def _folder(self, domain: str) -> Path:
        folder = self._control
        parts = domain.split(":")
        for depth in range(1, len(parts) + 1):
            folder /= ":".join(["intel-rapl", *parts[:depth]])
        return folder

    def _write(self, domain: str, uj: int) -> None:
        """Write a counter at once: of a file that is half written, an empty one is read as 0 J."""
        folder = self._folder(domain)
        (folder / "new").write_text(f"{uj}\n")
        (folder / "new").replace(folder / "energy_uj")


def read_by_codecarbon(fake: FakeRapl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have CodeCarbon look for its counters in the fake's folder, with its own code."""
    from codecarbon.core import cpu, hardware_cache
    from codecarbon.external import hardware

    is_available = cpu.is_rapl_available

    class IntelRAPL(cpu.IntelRAPL):
        def __init__(self, rapl_dir: str = "", **options: bool) -> None:  # noqa: ARG002 - as theirs
            super().__init__(rapl_dir=str(fake.subsystem), **options)  # type: ignore[no-untyped-call]  # theirs is

    monkeypatch.setattr(cpu, "is_rapl_available", lambda: is_available(str(fake.subsystem)))
    monkeypatch.setattr(cpu, "IntelRAPL", IntelRAPL)
    monkeypatch.setattr(hardware, "IntelRAPL", IntelRAPL)
    monkeypatch.setattr(hardware_cache, "_plans", {})
