"""What can be measured on a host and why not: on fake trees of files, and on this host itself."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.cli import main
from green_optuna.doctor import diagnose_components
from green_optuna.doctor.machine import Counter, Host, look_at_host
from green_optuna.doctor.reasons import why_cpu_is_estimated, why_gpu_is_not_measured
from green_optuna.doctor.selftest import self_test, spread_of
from green_optuna.energy import sampler_for
from green_optuna.energy.fingerprint import hardware_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

METER = go.ReplayMeter(cpu_w=50.0, ram_w=10.0)

POWERCAP = Path("/sys/class/powercap")
BARE = Host(system="Linux", machine="x86_64", powercap=POWERCAP)
FORBIDDEN = Counter(POWERCAP / "intel-rapl:0/energy_uj", "Permission denied", forbidden=True)

RAPL = go.Source("RAPL", measured=True, resolution_s=0.001)
ESTIMATE = go.Source("CPU time x 8 W", measured=False, follows_cpu_time=True)
NVML = go.Source("GPU energy counter", measured=True, resolution_s=0.1)
CONSTANT = go.Source("10 W", measured=False)


def write(path: Path, text: str) -> Path:
    """Write a file, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def add_counter(root: Path, zone: str = "intel-rapl:0", text: str = "123456789\n") -> Path:
    """Add a counter of RAPL's to a tree."""
    return write(root / "sys/class/powercap" / zone / "energy_uj", text)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user without rights, where this is root; else nothing has to change."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("this root cannot be another user: the namespace has none")
    try:
        yield
    finally:
        os.seteuid(0)


# What a host shows of itself


def test_an_empty_tree_shows_nothing(tmp_path: Path) -> None:
    """Neither a counter nor a sign of a virtual machine, a container or a GPU."""
    host = look_at_host(tmp_path)
    assert host.counters == ()
    assert not host.hidden
    assert (host.virtual, host.container, host.gpu_makers) == ("", "", ())


def test_counters_are_read_to_see_whether_they_can_be(tmp_path: Path) -> None:
    """Packages and their parts, on AMD's processors too; what is no number is a fault."""
    package, part = add_counter(tmp_path), add_counter(tmp_path, "intel-rapl:0:1")
    broken = add_counter(tmp_path, "intel-rapl:1", "")
    write(tmp_path / "sys/class/powercap/dtpm/energy_uj", "5")
    counters = look_at_host(tmp_path).counters
    assert [counter.path for counter in counters] == [package, part, broken]
    assert [counter.fault is None for counter in counters] == [True, True, False]
    assert not any(counter.forbidden for counter in counters)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="files have no owners here")
def test_a_counter_that_root_alone_may_read_is_forbidden(tmp_path: Path) -> None:
    """Reading decides, as a user without rights: permission bits say nothing to root."""
    counter = add_counter(tmp_path)
    counter.chmod(0o400 if os.geteuid() == 0 else 0o000)
    tmp_path.chmod(0o755)
    # From the working folder, since those above it may be closed to others.
    with as_nobody():
        (found,) = look_at_host(Path()).counters
    assert found.path == Path("sys/class/powercap/intel-rapl:0/energy_uj")
    assert found.forbidden
    assert "ermission" in str(found.fault)


def test_zones_whose_files_are_masked_are_hidden(tmp_path: Path) -> None:
    """As in a container: the links in the folder stay, and lead nowhere."""
    powercap = tmp_path / "sys/class/powercap"
    powercap.mkdir(parents=True)
    (powercap / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/gone")
    host = look_at_host(tmp_path)
    assert (host.counters, host.hidden) == ((), True)


@pytest.mark.parametrize(
    ("file", "text", "virtual"),
    [
        ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor sse\n", True),
        ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse\nbugs\t: hypervisor\n", False),
        ("sys/class/dmi/id/product_name", "KVM Virtual Machine\n", True),
        ("sys/class/dmi/id/sys_vendor", "QEMU\n", True),
        ("sys/class/dmi/id/product_name", "m5.metal\n", False),
        ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n", False),
    ],
)
def test_a_virtual_machine_is_told_by_its_processor_or_its_name(
    tmp_path: Path, file: str, text: str, virtual: bool
) -> None:
    """A flag on x86; elsewhere what the machine calls itself."""
    write(tmp_path / file, text)
    assert bool(look_at_host(tmp_path).virtual) == virtual


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_container_is_told_by_its_mark(tmp_path: Path, mark: str) -> None:
    """Docker and Podman leave one."""
    write(tmp_path / mark, "")
    assert mark in look_at_host(tmp_path).container


def test_gpus_are_told_by_the_bus_or_by_their_driver(tmp_path: Path) -> None:
    """Displays and 3D controllers of the two makers; network cards of theirs are none."""
    for slot, kind, maker in (
        ("00:01", "0x030000", "0x1002"),
        ("00:02", "0x030200", "0x8086"),
        ("00:03", "0x020000", "0x10de"),
    ):
        write(tmp_path / "sys/bus/pci/devices" / slot / "class", f"{kind}\n")
        write(tmp_path / "sys/bus/pci/devices" / slot / "vendor", f"{maker}\n")
    assert look_at_host(tmp_path).gpu_makers == ("AMD",)
    write(tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: T4\n")
    assert look_at_host(tmp_path).gpu_makers == ("AMD", "NVIDIA")


# Why the processor is estimated


@pytest.mark.parametrize(
    ("host", "why", "remedy"),
    [
        (replace(BARE, virtual="the flag"), "virtual machine (the flag)", "bare metal"),
        (
            replace(BARE, virtual="the flag", container="a mark"),
            "virtual machine (the flag)",
            "bare metal",
        ),
        (replace(BARE, container="a mark"), "a container (a mark)", "docker run"),
        (replace(BARE, hidden=True), "files in /sys/class/powercap are not there", "docker run"),
        (BARE, "no counters in /sys/class/powercap", "sudo modprobe intel_rapl_msr"),
        (replace(BARE, machine="aarch64"), "(aarch64) has no counter", "cpu_power_w"),
        (replace(BARE, system="Darwin"), "On macOS", "bare machine"),
        (replace(BARE, system="Windows"), "On Windows", "Windows 11"),
        (replace(BARE, system="FreeBSD"), "on FreeBSD", "Linux"),
        (replace(BARE, counters=(FORBIDDEN,)), "intel-rapl:0/energy_uj (Perm", "sudo chmod"),
        (
            replace(BARE, counters=(FORBIDDEN,), container="a mark"),
            "may not be read",
            "type them on its host",
        ),
        (
            replace(BARE, counters=(Counter(POWERCAP, "no number"),)),
            "give no number: /sys/class/powercap (no number)",
            "Restart",
        ),
        (replace(BARE, counters=(Counter(POWERCAP),)), "does not use them", "report"),
    ],
)
def test_each_cause_has_its_reason_and_what_mends_it(host: Host, why: str, remedy: str) -> None:
    """One reason, the nearest: a virtual machine comes before a container in it."""
    (reason,) = why_cpu_is_estimated(host)
    assert why in reason.why
    assert remedy in "\n".join([reason.remedy, *reason.commands])


def test_what_grants_the_counters_is_said_to_the_letter() -> None:
    """For now, and for good; and which is which."""
    (reason,) = why_cpu_is_estimated(replace(BARE, counters=(FORBIDDEN,)))
    rule = (
        'SUBSYSTEM=="powercap", ACTION=="add", TEST=="energy_uj", '
        'RUN+="/bin/chmod a+r /sys%p/energy_uj"'
    )
    assert reason.commands == (
        "sudo chmod a+r /sys/class/powercap/*/energy_uj",
        f"echo '{rule}' | sudo tee /etc/udev/rules.d/70-rapl-readable.rules",
        "sudo udevadm control --reload-rules",
        "sudo udevadm trigger --subsystem-match=powercap --action=add",
    )
    assert "until it restarts" in reason.remedy


# Why a GPU is not measured


@pytest.mark.parametrize(
    ("makers", "fault", "visible", "said"),
    [
        ((), "no library", None, []),
        (("NVIDIA",), "no library", None, ["NVIDIA's, and no library"]),
        (("AMD",), "no library", None, ["amdsmi"]),
        (("AMD", "NVIDIA"), "no library", "0", ["no library", "amdsmi"]),
        (("NVIDIA",), "no library", "", ["CUDA_VISIBLE_DEVICES is ''"]),
        (("NVIDIA",), None, "-1", ["CUDA_VISIBLE_DEVICES is '-1'"]),
        (("NVIDIA",), None, None, ["gpu_ids"]),
    ],
)
def test_a_gpu_that_is_there_and_not_read_has_a_reason(
    makers: tuple[str, ...], fault: str | None, visible: str | None, said: list[str]
) -> None:
    """A host without one has none to give."""
    host = replace(BARE, gpu_makers=makers, nvml_fault=fault, cuda_visible_devices=visible)
    reasons = why_gpu_is_not_measured(host)
    assert len(reasons) == len(said)
    for reason, part in zip(reasons, said, strict=True):
        assert part in f"{reason.why} {reason.remedy}"


# The diagnosis


@pytest.mark.parametrize(
    ("sources", "measured", "reasons"),
    [
        ({"cpu": RAPL, "gpu": NVML}, {"cpu", "gpu"}, {"ram"}),
        ({"cpu": RAPL, "ram": CONSTANT}, {"cpu"}, {"ram"}),
        ({"cpu": ESTIMATE, "ram": CONSTANT}, set(), {"cpu", "ram"}),
        ({}, set(), {"cpu", "ram"}),
    ],
)
def test_reasons_are_given_for_what_is_not_measured_alone(
    sources: dict[str, go.Source], measured: set[str], reasons: set[str]
) -> None:
    """All three components are named, whatever the meter counts; a GPU that is not there is not."""
    found = diagnose_components(sources, BARE, min_interval_s=0.05)
    assert [one.component for one in found] == ["cpu", "gpu", "ram"]
    assert {one.component for one in found if one.measured} == measured
    assert {one.component for one in found if one.reasons} == reasons
    for one in found:
        source = sources.get(one.component)
        assert one.resolution_s == (None if source is None else max(source.resolution_s, 0.05))


def with_sources(diagnosis: go.Diagnosis, **sources: go.Source) -> go.Diagnosis:
    """Give a diagnosis of other sources."""
    return replace(diagnosis, components=diagnose_components(sources, BARE, min_interval_s=0.05))


def test_a_host_measures_where_hardware_counts_its_processor_or_a_gpu() -> None:
    """The memory alone is not enough, and neither is a meter that gives nothing."""
    diagnosis = go.diagnose(meter=METER, seconds=0)
    assert with_sources(diagnosis, cpu=RAPL, ram=CONSTANT).measured
    assert with_sources(diagnosis, cpu=ESTIMATE, gpu=NVML).measured
    assert not with_sources(diagnosis, cpu=ESTIMATE, ram=replace(CONSTANT, measured=True)).measured
    assert not replace(with_sources(diagnosis, cpu=RAPL), fault="no reading").measured
    assert with_sources(diagnosis, cpu=RAPL, gpu=NVML).resolution_s == 0.1
    assert with_sources(diagnosis).resolution_s is None


def test_a_diagnosis_names_the_host_its_hardware_and_its_meter() -> None:
    """As any measurement does, and ready for JSON."""
    diagnosis = go.diagnose(grid=go.Grid(country="FRA"), meter=METER, seconds=0)
    assert diagnosis.fingerprint == hardware_fingerprint()
    assert (diagnosis.basis, diagnosis.fault, diagnosis.self_test) == ("estimated", None, None)
    assert [one.source and one.source.name for one in diagnosis.components] == ["replay"] * 3
    plain = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert plain["host"] == diagnosis.host
    assert plain["hardware"] == list(diagnosis.hardware)
    assert plain["measured"] is False
    assert plain["grid"]["country"] == "FRA"
    assert {one["component"]: one["source"] for one in plain["components"]} == dict.fromkeys(
        ("cpu", "gpu", "ram"), "replay"
    )
    assert all(one["reasons"] == [] for one in plain["components"]), "the meter is not the host's"
    (reason,) = with_sources(diagnosis, cpu=ESTIMATE).to_dict()["components"][0]["reasons"]
    assert reason.keys() == {"why", "remedy", "commands"}


def test_the_place_is_that_of_the_options_or_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None is said, and so is a wrong one of the environment's; one that was given is raised."""
    none = go.diagnose(meter=METER, seconds=0)
    assert none.grid is None
    assert "GREEN_OPTUNA_COUNTRY" in str(none.grid_fault)
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "XYZ")
    assert "'XYZ'" in str(go.diagnose(meter=METER, seconds=0).grid_fault)
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "POL")
    found = go.diagnose(meter=METER, seconds=0).grid
    assert found is not None
    assert found.country == "POL"
    with pytest.raises(go.GridError, match="'XYZ'"):
        go.diagnose(country="XYZ", meter=METER, seconds=0)


class BrokenMeter(go.ReplayMeter):
    """A meter that finds nothing on its host."""

    def start(self) -> None:
        """Find nothing."""
        raise go.MeterError("no processor that this library knows")


def test_a_host_on_which_nothing_can_be_had_is_diagnosed_all_the_same() -> None:
    """The meter's trouble is part of the diagnosis, and what is known of the host is there."""
    diagnosis = go.diagnose(meter=BrokenMeter(cpu_w=1.0), seconds=5)
    assert "no processor" in str(diagnosis.fault)
    assert (diagnosis.basis, diagnosis.measured, diagnosis.self_test) == (None, False, None)
    assert [one.source for one in diagnosis.components] == [None] * 3
    assert diagnosis.hardware


# The self-test


@given(st.lists(st.tuples(st.floats(0.1, 9.0), st.floats(0.1, 9.0)), min_size=3, max_size=9))
def test_a_spread_is_the_standard_deviation_by_the_mean(
    runs: list[tuple[float, float]],
) -> None:
    """Of the energies and of the durations, as the standard library has it."""
    measured = [
        go.Measurement(
            energy=go.ComponentEnergy(cpu_kwh=energy_kwh, ram_kwh=1.0),
            duration_s=duration_s,
            grid=go.Grid(carbon_intensity_g_per_kwh=0.0),
            sources={},
            host="a",
        )
        for energy_kwh, duration_s in runs
    ]
    spread = spread_of(1.0, measured)
    energies_kwh = [one.energy_kwh for one in measured]
    durations_s = [one.duration_s for one in measured]
    assert (spread.nominal_s, spread.runs) == (1.0, len(runs))
    assert spread.mean_energy_kwh == pytest.approx(statistics.fmean(energies_kwh))
    for cv, values in ((spread.energy_cv, energies_kwh), (spread.duration_cv, durations_s)):
        expected = statistics.stdev(values) / statistics.fmean(values)
        assert cv == pytest.approx(expected, abs=1e-9)


def test_a_self_test_measures_waiting_and_the_same_work_again_and_again() -> None:
    """Three times at least, whatever else the machine does."""
    tested = self_test(sampler_for(go.ReplayMeter(cpu_w=36.0)), 1.0)
    assert tested is not None
    assert tested.idle_power_w > 0
    (spread,) = tested.spreads
    assert spread.nominal_s == 0.1
    assert spread.runs >= 3
    assert spread.mean_energy_kwh > 0


def test_a_counter_that_stands_still_has_no_spread() -> None:
    """Zero by zero is no figure."""
    still = go.Measurement(
        energy=go.ComponentEnergy(),
        duration_s=1.0,
        grid=go.Grid(carbon_intensity_g_per_kwh=0.0),
        sources={},
        host="a",
    )
    assert spread_of(1.0, [still] * 3).energy_cv is None


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_self_test_without_time_says_nothing_of_noise(seconds: float) -> None:
    """Zero leaves all of it out; too little, the repetitions."""
    tested = self_test(sampler_for(METER), seconds)
    assert (tested is None) == (seconds == 0)
    assert tested is None or tested.spreads == ()


@given(st.sampled_from([-1, -0.1, float("nan"), float("inf"), True, "10", None]))
def test_a_time_that_cannot_be_is_refused(seconds: Any) -> None:  # noqa: ANN401 - whatever it is
    """Before anything is measured."""
    with pytest.raises(go.OptionError, match="seconds is"):
        go.diagnose(meter=BrokenMeter(), seconds=seconds)


# The command line, on this host


def test_doctor_in_json_says_what_can_be_measured_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its exit code agrees with what it says, and nothing else is on stdout."""
    code = main(["doctor", "--country", "FRA", "--seconds", "0", "--format", "json"])
    said = json.loads(capsys.readouterr().out)
    cpu, gpu, _ = said["components"]
    assert code == (0 if cpu["measured"] or gpu["measured"] else 4)
    assert said["measured"] == (code == 0)
    assert said["fault"] is None
    assert cpu["source"]
    assert cpu["measured"] or cpu["reasons"][0]["why"]
    assert said["grid"]["source"].startswith("CodeCarbon")
    assert said["self_test"] is None


def test_doctor_shows_each_component_its_reason_and_the_noise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A table, then sentences; that there is no place is no error."""
    code = main(["doctor", "--seconds", "1"])
    shown = capsys.readouterr()
    assert code in (0, 4)
    for part in ("processor", "memory", "idle:", "noise: identical work of 100 ms", "GREEN_OPTUNA"):
        assert part in shown.out
    assert hardware_fingerprint() in shown.out
    assert "Measuring the same work" in shown.err


def test_the_help_of_doctor_says_what_its_exit_code_means(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An estimate ends with 4 here, and with 0 everywhere else."""
    assert main(["doctor", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 hardware measures the processor or a GPU" in shown
    assert "4 it does not" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "table or json"),
        (["--seconds", "-1"], "seconds is -1"),
        (["--seconds", "inf"], "seconds is inf"),
        (["--country", "XYZ"], "'XYZ'"),
    ],
)
def test_doctor_refuses_what_it_cannot_use(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, in one line."""
    assert main(["doctor", *options]) == 2
    refused = capsys.readouterr()
    assert (refused.out, refused.err.count("\n")) == ("", 1)
    assert said in refused.err
