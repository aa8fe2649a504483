"""Fake hardware for CodeCarbon to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .fakes import nvml, rapl

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fake_rapl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> rapl.FakeRapl:
    """Give counters of the processors' energy, without a domain yet, for CodeCarbon to find."""
    fake = rapl.FakeRapl(tmp_path / "powercap")
    rapl.read_by_codecarbon(fake, monkeypatch)
    return fake


@pytest.fixture
def fake_nvml(monkeypatch: pytest.MonkeyPatch) -> nvml.FakeNvml:
    """Give two GPUs of one model, for CodeCarbon to find."""
    fake = nvml.FakeNvml(nvml.FakeGpu("GPU-11111111-aaaa"), nvml.FakeGpu("GPU-22222222-bbbb"))
    nvml.read_by_codecarbon(fake, monkeypatch)
    return fake
