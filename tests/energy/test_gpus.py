"""The GPUs that a process sees are those that CUDA, or ROCm, would show it."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.energy.amd_gpus import amd_hip_ids, visible_amd_gpus
from green_optuna.energy.gpus import Gpu, Pci, ask_cuda, nvml_gpus, visible_gpus
from green_optuna.energy.hardware import gpus_to_count
from green_optuna.errors import MeterError, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from .fakes.nvml import FakeNvml

A, B, C = (
    f"GPU-{digits}-d72c-4106-c12f-20bd9faed9f6" for digits in ("8932f937", "8932aaaa", "11ff")
)
ALIKE = [Gpu(index, uuid, "H100", (0, index, 0)) for index, uuid in enumerate([A, B, C])]
MIXED = [Gpu(index, uuid, f"model {uuid}", (0, index, 0)) for index, uuid in enumerate([A, B, C])]
SLICED = [
    Gpu(0, A, "H100", (0, 0, 0)),
    Gpu(1, B, "H100", (0, 1, 0), ("MIG-1aaa", "MIG-1bbb")),
    Gpu(2, C, "H100", (0, 2, 0), ("MIG-2aaa",)),
]


def never() -> list[Pci]:
    """Be asked where there is no need."""
    raise AssertionError("the environment says it all")


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, None),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 2 , 0 ", [2, 0]),
        ("0,1,2", [0, 1, 2]),
        # The first that names no GPU ends the list.
        ("0,-1,1", [0]),
        ("1,,2", [1]),
        ("0,3,1", [0]),
        ("3", []),
        # As C reads numbers.
        ("1st,2nd", [1, 2]),
        ("+1", [1]),
        ("01", [1]),
        # One that names a GPU twice shows none, wherever the list would have ended.
        ("0,0", []),
        ("0,1,0", []),
        ("0,9,0", []),
        ("0,-1,0", [0]),
        # UUIDs, and as many digits of one as tell it from others.
        (C, [2]),
        (f"{C},{A}", [2, 0]),
        ("GPU-8932f", [0]),
        ("GPU-8932F937", [0]),
        ("GPU-11,GPU-8932a", [2, 1]),
        ("GPU-8932", []),
        ("GPU-11,GPU-8932,GPU-8932a", [2]),
        ("GPU-77", []),
        (f"GPU-11,{C}", []),
        # The first entry says what the others are.
        ("0,GPU-11", [0]),
        ("GPU-11,0", [2]),
        ("MIG-77", []),
    ],
)
def test_numbers_and_uuids_are_read_as_cuda_reads_them(
    visible: str | None, expected: list[int] | None
) -> None:
    """With GPUs of one model, CUDA's order is that of the bus, as NVML's."""
    assert visible_gpus(visible, ALIKE, ask=never) == expected


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("MIG-2aaa", [2]),
        ("MIG-1bbb", [1]),
        ("MIG-1aaa,MIG-1bbb", [1]),
        ("MIG-1aaa,MIG-2aaa", [1, 2]),
        ("MIG-1aaa,MIG-1aaa", []),
        ("MIG-1", []),
        ("MIG-9", []),
        ("MIG-2aaa,MIG-9,MIG-1aaa", [2]),
        (f"MIG-{B}/7/0", [1]),
        (f"MIG-{C}/1/0,MIG-{C}/2/0", [2]),
        ("MIG-GPU-8932/1/0", []),
        ("GPU-8932f", [0]),
        ("", []),
        ("-1", []),
    ],
)
def test_a_slice_stands_for_its_gpu(visible: str, expected: list[int]) -> None:
    """In the new form and in the old one; two slices of one GPU are that GPU."""
    assert visible_gpus(visible, SLICED, ask=never) == expected


def test_the_order_of_several_models_is_the_buss_where_that_is_said() -> None:
    """Otherwise CUDA is asked, unless all of them are shown or none."""
    assert visible_gpus("2,0", MIXED, order="PCI_BUS_ID", ask=never) == [2, 0]
    assert set(visible_gpus("2,0,1", MIXED, ask=never) or ()) == {0, 1, 2}
    assert visible_gpus("9", MIXED, ask=never) == []
    assert visible_gpus("GPU-11", MIXED, ask=never) == [2]
    for order in (None, "FASTEST_FIRST", "bogus"):
        assert visible_gpus("0", MIXED, order=order, ask=lambda: [(0, 2, 0)]) == [2]


def test_numbers_among_slices_are_left_to_cuda() -> None:
    """CUDA shows one slice, by rules of its own; a number is sure where there is one GPU."""
    assert visible_gpus("0", SLICED, order="PCI_BUS_ID", ask=lambda: [(0, 1, 0)]) == [1]
    assert visible_gpus("0", SLICED, ask=lambda: [(0, 2, 0), (0, 2, 0)]) == [2]
    assert visible_gpus("0,1", SLICED[1:2], ask=never) == [1]
    assert visible_gpus("1", SLICED[1:2], ask=list) == []


def test_a_gpu_that_only_cuda_knows_is_an_error() -> None:
    """What cannot be read is not passed over."""
    with pytest.raises(OptionError, match=r"CUDA shows a GPU at \(9, 9, 9\).*PCI_BUS_ID"):
        visible_gpus("0", MIXED, ask=lambda: [(9, 9, 9)])


@given(
    st.lists(st.sampled_from(["0", "1", "2", "7", "-1", "", A, B, "GPU-8932", "MIG-1aaa", "x"])),
    st.sampled_from([ALIKE, MIXED, SLICED]),
)
def test_no_gpu_is_counted_twice_or_made_up(entries: list[str], gpus: list[Gpu]) -> None:
    """Whatever the variable holds, indices are those of GPUs, each once."""
    shown = visible_gpus(",".join(entries), gpus, ask=lambda: [(0, 1, 0)])
    assert shown is not None
    assert len(set(shown)) == len(shown)
    assert set(shown) <= {0, 1, 2}


def test_the_gpus_are_read_from_nvml(fake_nvml: FakeNvml) -> None:
    """With their slices, past the gap that one taken away leaves."""
    fake_nvml.gpus[1].slices = ["MIG-1aaa", "", "MIG-1bbb"]
    model = fake_nvml.gpus[0].name
    assert nvml_gpus() == [
        Gpu(0, "GPU-11111111-aaaa", model, (0, 0, 0)),
        Gpu(1, "GPU-22222222-bbbb", model, (0, 1, 0), ("MIG-1aaa", "MIG-1bbb")),
    ]


@pytest.mark.usefixtures("fake_nvml")
@given(st.lists(st.integers(0, 63) | st.just("GPU-7")), st.none() | st.text())
def test_given_gpus_count_whatever_cuda_shows(ids: list[int | str], visible: str | None) -> None:
    """What the user names is what is counted, none included; other names stay, to be refused."""
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpus_to_count(tuple(ids), environ) == ids


@pytest.mark.usefixtures("fake_nvml")
def test_the_environment_decides_where_the_user_does_not() -> None:
    """All GPUs, unless one of its variables is set; NVIDIA's heed CUDA's."""
    assert gpus_to_count(None, {}) is None
    assert gpus_to_count(None, {"CUDA_VISIBLE_DEVICES": "1"}) == [1]
    assert gpus_to_count(None, {"CUDA_VISIBLE_DEVICES": ""}) == []
    assert gpus_to_count(None, {"HIP_VISIBLE_DEVICES": "1"}) is None
    assert gpus_to_count(("GPU-2222", 0), {"CUDA_VISIBLE_DEVICES": ""}) == [1, 0]


def test_where_there_is_no_gpu_none_is_shown(fake_nvml: FakeNvml) -> None:
    """Whatever the environment names."""
    fake_nvml.gpus.clear()
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        assert gpus_to_count(None, {name: "0"}) == []


# Stands in for CUDA's driver: shows two GPUs where the variables reach it, else none.
CUDA = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int shown(void) {
    const char *devices = getenv("CUDA_VISIBLE_DEVICES"), *order = getenv("CUDA_DEVICE_ORDER");
    if (devices && !strcmp(devices, "broken")) return -1;
    return devices && !strcmp(devices, "1,0") && order && !strcmp(order, "FASTEST_FIRST") ? 2 : 0;
}
int cuInit(unsigned flags) { return shown() < 0 ? 999 : shown() ? 0 : 100; }
int cuDeviceGetCount(int *count) { *count = shown(); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 100 + ordinal; return 0; }
int cuDeviceGetPCIBusId(char *place, int length, int device) {
    snprintf(place, length, "0000:%02x:1f.0", 0x3a + device - 100);
    return 0;
}
"""


@pytest.fixture
def fake_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a driver where the system looks for CUDA's."""
    (tmp_path / "cuda.c").write_text(CUDA)
    library = str(tmp_path / "libcuda.so.1")
    compiler = shutil.which("cc")
    if compiler is None or os.name != "posix":
        pytest.skip("no C compiler here")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, str(tmp_path / "cuda.c")], check=True
    )
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path), prepend=os.pathsep)
    ask_cuda.cache_clear()


@pytest.mark.usefixtures("fake_cuda")
def test_cuda_is_asked_in_a_process_of_its_own() -> None:
    """With the variables as given, and it tells where the GPUs sit; showing none is an answer."""
    assert ask_cuda("1,0", "FASTEST_FIRST") == ((0, 0x3A, 0x1F), (0, 0x3B, 0x1F))
    assert ask_cuda("1,0", "PCI_BUS_ID") == ()
    assert ask_cuda("0", None) == ()
    with pytest.raises(OptionError, match=r"is 'broken'.*\(cuInit gave error 999\).*gpu_ids"):
        ask_cuda("broken", None)


def test_where_cuda_cannot_be_asked_nothing_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says how the GPUs can be named so that it need not be."""
    (tmp_path / "libcuda.so.1").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(OptionError, match=r"only CUDA knows.*UUIDs.*PCI_BUS_ID.*gpu_ids"):
        ask_cuda(f"no such {uuid.uuid4()}", None)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HIP_VISIBLE_DEVICES": "0"}, [2]),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}, [2]),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, [0, 2]),
        ({"ROCR_VISIBLE_DEVICES": "2,1"}, [1, 0]),
        ({"ROCR_VISIBLE_DEVICES": "2,1", "HIP_VISIBLE_DEVICES": "0"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": "2,1", "HIP_VISIBLE_DEVICES": "2"}, []),
        ({"HIP_VISIBLE_DEVICES": "1,-1,0"}, [0]),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_rocms_variables_choose_one_after_the_other(
    environ: dict[str, str], expected: list[int] | None
) -> None:
    """Numbers are HIP's, which amdsmi translates: here its third GPU is HIP's first."""
    assert visible_amd_gpus(environ, [1, 2, 0]) == expected


def test_amd_gpus_that_cannot_be_told_apart_are_an_error() -> None:
    """Where amdsmi does not know HIP's numbers, or a UUID is given; not where all are shown."""
    unknown = [None, None]
    assert visible_amd_gpus({"HIP_VISIBLE_DEVICES": "1,0"}, unknown) == [1, 0]
    assert visible_amd_gpus({"HIP_VISIBLE_DEVICES": "-1"}, unknown) == []
    with pytest.raises(OptionError, match=r"does not say which.*gpu_ids"):
        visible_amd_gpus({"HIP_VISIBLE_DEVICES": "0"}, unknown)
    with pytest.raises(OptionError, match=r"ROCR_VISIBLE_DEVICES is 'GPU-DEAD'.*gpu_ids"):
        visible_amd_gpus({"ROCR_VISIBLE_DEVICES": "GPU-DEAD"}, [0, 1])


class AmdSmiError(Exception):
    """What the fake amdsmi raises."""


def test_amdsmi_is_asked_for_hips_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old ones do not know them; one that fails is an error."""
    from codecarbon.core import gpu_amd

    amdsmi = SimpleNamespace(
        AmdSmiException=AmdSmiError,
        amdsmi_init=lambda: None,
        amdsmi_get_processor_handles=lambda: [1, 0],
        amdsmi_get_gpu_enumeration_info=lambda handle: {"hip_id": handle},
    )
    monkeypatch.setattr(gpu_amd, "amdsmi", amdsmi)
    assert amd_hip_ids() == [1, 0]
    assert gpus_to_count(None, {"HIP_VISIBLE_DEVICES": "0"}) == [1]
    amdsmi.amdsmi_get_gpu_enumeration_info = lambda _: {"hip_id": "N/A"}
    assert amd_hip_ids() == [None, None]
    del amdsmi.amdsmi_get_gpu_enumeration_info
    assert amd_hip_ids() == [None, None]

    def fail() -> None:
        raise AmdSmiError("no driver")

    amdsmi.amdsmi_init = fail
    with pytest.raises(MeterError, match=r"amdsmi does not say.*no driver.*gpu_ids=\(\)"):
        amd_hip_ids()
