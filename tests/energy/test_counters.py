"""What hardware counters say is what is measured: joule for joule, through CodeCarbon's code."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from green_optuna.carbon import Grid
from green_optuna.energy import CodeCarbonMeter, MeterOptions, Sampler, sampler_for
from green_optuna.errors import MeterError, OptionError
from green_optuna.units import joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .fakes.nvml import FakeNvml
    from .fakes.rapl import FakeRapl

OPTIONS = MeterOptions(cpu_power_w=100.0, ram_power_w=10.0)


@pytest.fixture
def meter() -> Iterator[CodeCarbonMeter]:
    """Give a meter, not started yet, that is stopped in the end."""
    meter = CodeCarbonMeter(OPTIONS)
    yield meter
    meter.stop()


def used_j(meter: CodeCarbonMeter, use: Callable[[], None]) -> dict[str, float]:
    """Read a meter before and after the hardware is used; give the difference in J."""
    before = meter.read()
    use()
    time.sleep(meter.min_interval_s)
    used = meter.read() - before
    return {component: joules_from_kwh(kwh) for component, kwh in used.to_dict().items()}


def test_a_counters_joules_are_the_energy(fake_rapl: FakeRapl, meter: CodeCarbonMeter) -> None:
    """A package's counter that moves by 42 J is 42 J, called measured; started again, too."""
    fake_rapl.add("0", "package-0")
    for _ in range(2):
        meter.start()
        assert used_j(meter, lambda: fake_rapl.use("0", 42.0))["cpu"] == pytest.approx(42.0)
        assert (meter.sources["cpu"].name, meter.sources["cpu"].measured) == ("RAPL", True)


def test_a_window_has_joules_of_the_counter(fake_rapl: FakeRapl, meter: CodeCarbonMeter) -> None:
    """A trial is charged what the counter moved by while it ran, and no more."""
    fake_rapl.add("0", "package-0")
    sampler = Sampler(meter)
    window = sampler.open()
    fake_rapl.use("0", 42.0)
    measurement = sampler.close(window, Grid(carbon_intensity_g_per_kwh=50.0))
    assert 0 < joules_from_kwh(measurement.energy.cpu_kwh) < 42.001
    assert measurement.basis == "mixed"


def test_sockets_add_up(fake_rapl: FakeRapl, meter: CodeCarbonMeter) -> None:
    """Each package of a machine has a counter of its own: 10 J and 5 J are 15 J."""
    fake_rapl.add("0", "package-0", joules=1000.0)
    fake_rapl.add("1", "package-1", joules=5000.0)
    meter.start()

    def use() -> None:
        fake_rapl.use("0", 10.0)
        fake_rapl.use("1", 5.0)

    assert used_j(meter, use)["cpu"] == pytest.approx(15.0)


def test_no_joule_is_counted_in_two_domains(fake_rapl: FakeRapl, meter: CodeCarbonMeter) -> None:
    """What a package's parts use is in the package's figure; the platform's holds the package's.

    The memory's is in neither: it is read where there is one, unless its power is given.
    """
    fake_rapl.add("0", "package-0", joules=1000.0)
    domains = {"0:0": "core", "0:1": "uncore", "0:2": "dram", "1": "psys"}
    for joules, (domain, name) in enumerate(domains.items()):
        fake_rapl.add(domain, name, joules=100.0 * joules)
    meter.start()

    def use() -> None:
        for domain in ("0", *domains):
            fake_rapl.use(domain, 10.0)

    assert used_j(meter, use)["cpu"] == pytest.approx(10.0)


def test_the_memorys_counters_are_read_rather_than_estimated(fake_rapl: FakeRapl) -> None:
    """Two packages with 3 J and 4 J of memory are 7 J, and then all is called measured."""
    for package in ("0", "1"):
        fake_rapl.add(package, f"package-{package}", joules=1000.0 * (int(package) + 1))
        fake_rapl.add(f"{package}:0", "core")
        fake_rapl.add(f"{package}:1", "dram", joules=300.0)
    meter = CodeCarbonMeter()
    sampler = Sampler(meter)
    sampler.start()
    # A real counter never rests: what it counts belongs to the time since it last moved.
    for domain in ("0", "0:1", "1:1"):
        fake_rapl.use(domain, 1.0)
    time.sleep(2 * meter.min_interval_s)
    window = sampler.open()
    sampler.take_overhead()
    time.sleep(0.3)
    fake_rapl.use("0:1", 3.0)
    fake_rapl.use("1:1", 4.0)
    fake_rapl.use("0", 10.0)
    measurement = sampler.close(window, Grid(carbon_intensity_g_per_kwh=50.0))
    # The memory's goes by time, and what the last reading takes, longer on a busy machine, is no
    # window's: with that it is all, to the last joule.
    beside_j = joules_from_kwh(sampler.take_overhead().ram_kwh)
    meter.stop()
    in_window_j = joules_from_kwh(measurement.energy.ram_kwh)
    assert in_window_j + beside_j == pytest.approx(7.0)
    assert in_window_j > beside_j
    assert measurement.sources["ram"].name == "RAPL, memory"
    assert measurement.basis == "measured"


def test_half_of_a_memorys_counters_are_none(fake_rapl: FakeRapl) -> None:
    """Where one package counts its memory and the other does not, the whole is estimated."""
    for package in ("0", "1"):
        fake_rapl.add(package, f"package-{package}", joules=1000.0 * (int(package) + 1))
    fake_rapl.add("0:0", "dram")
    meter = CodeCarbonMeter()
    meter.start()
    assert not meter.sources["ram"].measured
    meter.stop()


def test_a_counter_that_wraps_around_goes_on(fake_rapl: FakeRapl, meter: CodeCarbonMeter) -> None:
    """Counters begin anew every few minutes to hours: 3 J before the end and 7 J after are 10 J."""
    fake_rapl.add("0", "package-0", joules=997.0, wraps_at_j=1000.0)
    meter.start()
    for _ in range(3):
        assert used_j(meter, lambda: fake_rapl.use("0", 10.0))["cpu"] == pytest.approx(10.0)
        assert used_j(meter, lambda: fake_rapl.use("0", 980.0))["cpu"] == pytest.approx(980.0)


def test_counters_that_mirror_one_another_count_once(
    fake_rapl: FakeRapl, meter: CodeCarbonMeter
) -> None:
    """Processors of several dies may show one counter as several packages."""
    for package in ("0", "1"):
        fake_rapl.add(package, f"package-{package}", joules=1000.0)
    meter.start()

    def use() -> None:
        for package in ("0", "1"):
            fake_rapl.use(package, 10.0)

    assert [used_j(meter, use)["cpu"] for _ in range(2)] == pytest.approx([10.0, 10.0])


def test_counters_that_may_not_be_read_are_not_called_measured(
    fake_rapl: FakeRapl, meter: CodeCarbonMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only root may read the counters, the energy is estimated, and said to be."""
    fake_rapl.add("0", "package-0")
    fake_rapl.deny(monkeypatch, "0")
    meter.start()
    assert not meter.sources["cpu"].measured
    assert "100 W" in meter.sources["cpu"].name


def test_a_package_that_disappears_is_an_error_and_loses_nothing_once_it_is_back(
    fake_rapl: FakeRapl, meter: CodeCarbonMeter
) -> None:
    """What the machine uses is not known meanwhile; no joule is lost, and none is made up."""
    fake_rapl.add("0", "package-0", joules=1000.0)
    fake_rapl.add("1", "package-1", joules=5000.0)
    meter.start()
    before = meter.read()
    fake_rapl.use("0", 10.0)
    fake_rapl.use("1", 5.0)
    fake_rapl.hide("1")
    with pytest.raises(MeterError, match="could be read before and cannot be read now"):
        meter.read()
    fake_rapl.show("1")
    used = meter.read() - before
    assert joules_from_kwh(used.cpu_kwh) == pytest.approx(15.0)


@pytest.mark.slow
def test_a_counter_that_stands_still_fails_the_trial(
    fake_rapl: FakeRapl, meter: CodeCarbonMeter
) -> None:
    """Some virtual machines show a counter that never moves: such a trial is not free."""
    fake_rapl.add("0", "package-0")
    sampler = Sampler(meter)
    window = sampler.open()
    time.sleep(1.2)
    with pytest.raises(MeterError, match="has stood still for"):
        sampler.close(window, Grid(carbon_intensity_g_per_kwh=50.0))


def use_both(nvml: FakeNvml) -> None:
    """Have the first GPU use 30 J and the second 12 J."""
    for gpu, joules in zip(nvml.gpus, (30.0, 12.0), strict=True):
        gpu.use(joules)


def test_gpus_add_up(fake_nvml: FakeNvml, meter: CodeCarbonMeter) -> None:
    """30 J of one GPU and 12 J of another are 42 J, called measured."""
    meter.start()
    assert used_j(meter, lambda: use_both(fake_nvml))["gpu"] == pytest.approx(42.0)
    assert (meter.sources["gpu"].name, meter.sources["gpu"].measured) == (
        *("GPU energy counter", True),
    )


def test_a_process_pays_for_the_gpus_that_it_sees(
    fake_nvml: FakeNvml, meter: CodeCarbonMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two, by number or UUID, or none: whichever meter of the process came before."""
    for visible, expected_j in [
        ("1", 12.0),
        ("", 0.0),
        ("0", 30.0),
        ("-1", 0.0),
        ("GPU-2222", 12.0),
        ("0,0", 0.0),
        ("1,0", 42.0),
    ]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        meter.start()
        assert ("gpu" in meter.sources) == (expected_j > 0), visible
        assert used_j(meter, lambda: use_both(fake_nvml))["gpu"] == pytest.approx(expected_j)


@pytest.mark.parametrize("name", ["MIG-5ba1", "MIG-GPU-22222222-bbbb/7/0"])
def test_a_slice_is_charged_for_its_whole_gpu_and_says_so(
    fake_nvml: FakeNvml, meter: CodeCarbonMeter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """There is no counter for less than a GPU."""
    fake_nvml.gpus[1].slices = ["MIG-5ba1", "", "MIG-77fe"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", name)
    meter.start()
    assert used_j(meter, lambda: use_both(fake_nvml))["gpu"] == pytest.approx(12.0)
    assert meter.sources["gpu"].name == "GPU energy counter, of all slices together"


@pytest.mark.parametrize(
    ("gpu_ids", "expected_j"),
    [((1,), 12.0), (("GPU-1111",), 30.0), (("MIG-5ba1", "MIG-77fe"), 12.0), (("MIG-5", 0), 42.0)],
)
def test_given_gpus_are_counted_by_any_name(
    fake_nvml: FakeNvml, gpu_ids: tuple[int | str, ...], expected_j: float
) -> None:
    """The user may give indices, UUIDs and slices, in place of what the environment shows."""
    fake_nvml.gpus[1].slices = ["MIG-5ba1", "MIG-77fe"]
    meter = CodeCarbonMeter(MeterOptions(gpu_ids=gpu_ids, ram_power_w=10.0))
    meter.start()
    assert used_j(meter, lambda: use_both(fake_nvml))["gpu"] == pytest.approx(expected_j)
    meter.stop()


@pytest.mark.parametrize("gpu_ids", [(2,), (0, "GPU-33"), ("GPU-",), ("MIG-5ba1",)])
@pytest.mark.usefixtures("fake_nvml")
def test_given_gpus_that_are_not_there_are_refused(gpu_ids: tuple[int | str, ...]) -> None:
    """Nor are those whose name stands for several; the error says what was given."""
    with pytest.raises(OptionError, match="gpu_ids is"):
        CodeCarbonMeter(MeterOptions(gpu_ids=gpu_ids)).start()


def test_a_gpu_without_a_counter_is_read_by_its_power(
    fake_nvml: FakeNvml, meter: CodeCarbonMeter
) -> None:
    """GPUs older than Volta only tell their power: that is said, and is not nothing."""
    for gpu in fake_nvml.gpus:
        gpu.energy_mj = None
    meter.start()
    assert meter.sources["gpu"].name == "GPU power sensor"
    assert used_j(meter, lambda: None)["gpu"] > 0


def test_no_gpu_is_called_measured_where_none_is_found(
    fake_nvml: FakeNvml, meter: CodeCarbonMeter
) -> None:
    """The login node of a cluster has nvidia-smi, and no GPU."""
    fake_nvml.gpus.clear()
    meter.start()
    assert "gpu" not in meter.sources


def test_a_lost_gpu_is_an_error_where_the_environment_names_it(
    fake_nvml: FakeNvml, meter: CodeCarbonMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told is not taken for no GPU."""
    fake_nvml.gpus[0].lost = True
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(
        MeterError, match=r"NVML does not tell which GPUs there are: .*gpu_ids=\(\)"
    ):
        meter.start()


def test_two_meters_of_a_process_each_count_their_own_hardware(
    fake_rapl: FakeRapl, fake_nvml: FakeNvml
) -> None:
    """A study with GPUs after one without is charged for them, and the other way round."""
    fake_rapl.add("0", "package-0")
    grid = Grid(carbon_intensity_g_per_kwh=50.0)
    kwh = []
    for gpu_ids in ((), (0,), ()):
        sampler = Sampler(CodeCarbonMeter(replace(OPTIONS, gpu_ids=gpu_ids)))
        window = sampler.open()
        time.sleep(0.2)
        fake_rapl.use("0", 5.0)
        fake_nvml.gpus[0].use(5.0)
        kwh.append(sampler.close(window, grid).energy.gpu_kwh)
    assert kwh[1] > 0
    assert kwh[0] == kwh[2] == 0


def test_two_meters_of_ones_own_do_not_count_one_process_at_a_time(fake_rapl: FakeRapl) -> None:
    """They would take each other's energy: as with two options, the second is refused."""
    fake_rapl.add("0", "package-0")
    first, second = (sampler_for(CodeCarbonMeter(OPTIONS)) for _ in range(2))
    window = first.open()
    with pytest.raises(OptionError, match="both would count the same energy"):
        second.open()
    first.close(window, Grid(carbon_intensity_g_per_kwh=50.0))
    second.close(second.open(), Grid(carbon_intensity_g_per_kwh=50.0))
