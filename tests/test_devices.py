"""Hardware is found by the names that people and drivers give it, and its power has a source."""

import csv
from pathlib import Path

import pytest

from green_optuna import devices
from green_optuna.devices import Device, find_devices, fold, known_devices
from green_optuna.errors import OptionError

TABLE = Path(devices.__file__).with_name("devices.csv")


def rows() -> list[dict[str, str]]:
    """Read the table without the code that reads it."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def found(name: str) -> list[tuple[str, float]]:
    """Give the names and the power of what a name may mean, in W."""
    return [(device.name, device.rated_power_w) for device in find_devices(name)]


# The table


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["name"])
def test_every_row_has_a_power_and_a_source(row: dict[str, str]) -> None:
    """In watts above zero, of a known maker's document or a paper with its DOI."""
    assert float(row["rated_power_w"]) > 0
    assert row["kind"] in ("gpu", "accelerator")
    assert row["maker"] in ("NVIDIA", "AMD", "Intel", "Google")
    maker, _, document = row["source"].partition(", ")
    assert document
    assert maker.startswith(row["maker"]) or "doi:10." in row["source"]
    assert None not in row  # a comma too many


def test_no_two_names_are_alike() -> None:
    """A name, or another name of it, is of one device alone, however it is written."""
    names = [
        "".join(sorted(fold(name)))
        for row in rows()
        for name in (row["name"], *filter(None, row["aliases"].split(";")))
    ]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["name"])
def test_a_row_is_found_by_its_names_and_its_model(row: dict[str, str]) -> None:
    """Its own names mean it alone; its model means it among its variants."""
    expected = (row["name"], float(row["rated_power_w"]))
    for name in (row["name"], *filter(None, row["aliases"].split(";"))):
        assert found(name) == [expected]
    assert expected in found(row["model"])


# Names


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4"),
        ("NVIDIA A100 80GB PCIe", "A100 PCIe 80GB"),
        ("a100-pcie-40gb", "A100 PCIe 40GB"),
        ("Tesla V100-SXM2-16GB", "V100 SXM2"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM5"),
        ("h100 sxm", "H100 SXM5"),
        ("NVIDIA GeForce GTX 1080 Ti", "GTX 1080 Ti"),
        ("NVIDIA TITAN X (Pascal)", "TITAN X Pascal"),
        ("rtx3090", "RTX 3090"),
        ("TPUv3", "TPU v3"),
        ("AMD Instinct MI250X", "MI250X"),
        ("Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz", "Intel Xeon E5-2698 v4"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
        ("epyc 7763", "AMD EPYC 7763"),
    ],
)
def test_a_device_goes_by_the_name_that_its_driver_gives(name: str, device: str) -> None:
    """As NVML, Linux and people write it, capitals and hyphens regardless."""
    assert [one.name for one in find_devices(name)] == [device]


def test_a_model_means_its_variants_the_most_power_first() -> None:
    """A100 may be any A100, and A100 80GB any of that memory; never an A10 or a V100S."""
    assert found("A100") == [
        ("A100 SXM4", 400.0),
        ("A100 PCIe 80GB", 300.0),
        ("A100 PCIe 40GB", 250.0),
    ]
    assert found("A100 80GB") == [("A100 SXM4", 400.0), ("A100 PCIe 80GB", 300.0)]
    assert [name for name, _ in found("V100")] == ["V100 SXM3", "V100 SXM2", "V100 PCIe"]
    assert [name for name, _ in found("A10")] == ["A10"]
    assert [name for name, _ in found("RTX 3080")] == ["RTX 3080 12GB", "RTX 3080 10GB"]


def test_another_maker_is_another_device() -> None:
    """A maker's name may be left out, but is never taken for another's."""
    assert found("Intel A100") != found("A100") == found("NVIDIA A100")
    assert [device.kind for device in find_devices("Intel A100")] == ["cpu"]
    for name in ("AMD A100", "Google MI250", "Intel EPYC 7763"):
        with pytest.raises(OptionError, match="is unknown"):
            find_devices(name)


def test_processors_are_those_of_codecarbon() -> None:
    """With CodeCarbon's figure, and its version as the source."""
    (device,) = find_devices("AMD EPYC 7763")
    assert (device.kind, device.rated_power_w) == ("cpu", 280.0)
    assert device.source.startswith("CodeCarbon 3.")


def test_a_processor_that_codecarbon_has_twice_is_taken_once() -> None:
    """Unless its figures differ: then they are variants, the greater first."""
    assert len(found("6th Gen A10-8700P APU")) == 1
    assert [power_w for _, power_w in found("A10 Micro-6700T")] == [4.5, 4.0]


def test_what_codecarbon_gives_no_power_is_not_known() -> None:
    """No device draws nothing, whatever the file says."""
    everything = known_devices()
    assert len(everything) > 4000
    assert all(device.rated_power_w > 0 for device in everything)
    with pytest.raises(OptionError, match="is unknown"):
        find_devices("Intel Quark Microcontroller D1000")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("A101", "A100"),
        ("2080 Ti", "Did you mean RTX 2080 Ti or"),
        ("RTX 4099", "Did you mean RTX 4090 or"),
        ("A100 SXM4 16GB", "A100 SXM4"),
        ("Xeon E5-2698 v5", "Intel Xeon E5-2698 v4"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """The error names what was given, the nearest, and how to give a figure."""
    with pytest.raises(OptionError) as caught:
        find_devices(name)
    assert f"hardware={name!r} is unknown" in str(caught.value)
    assert nearest in str(caught.value)
    assert "power_w=" in str(caught.value)


@pytest.mark.parametrize("name", ["", "NVIDIA", "()", "é", "GPU"])
def test_a_name_that_says_nothing_is_no_device(name: str) -> None:
    """A maker alone is not every device of that maker."""
    with pytest.raises(OptionError, match="is unknown"):
        find_devices(name)


# Lists


def test_the_list_can_be_searched() -> None:
    """By words or parts of them, spelt as they may be, of accelerators and of processors."""
    assert {device.name for device in known_devices("a100")} == {
        *("A100 PCIe 40GB", "A100 PCIe 80GB", "A100 SXM4", "Intel A100")
    }
    assert Device("RTX 4090", "gpu", 450.0, "NVIDIA, product page of GeForce RTX 4090") in (
        known_devices("rtx 40")
    )
    of_volta = {"V100 PCIe", "V100 SXM2", "V100 SXM3", "V100S PCIe"}
    assert of_volta <= {device.name for device in known_devices("nvidia Tesla-V100")}
    assert [device.name for device in known_devices("V100-SXM2")] == ["V100 SXM2"]
    assert known_devices("no such device") == ()


@pytest.mark.parametrize(
    "name",
    [
        "13th Gen Intel(R) Core(TM) i9-13900K",
        "11th Gen Intel(R) Core(TM) i7-1185G7 @ 3.00GHz",
        "AMD Ryzen 7 5700G with Radeon Graphics",
    ],
)
def test_a_processor_goes_by_the_name_that_the_system_gives(name: str) -> None:
    """With the generation and the graphics that makers put around the model's own name."""
    assert find_devices(name)[0].kind == "cpu"
