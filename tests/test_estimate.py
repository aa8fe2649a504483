"""An estimate is rated power x devices x hours x intensity, and says all that it assumes."""

import csv
import json
import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.cli import main
from green_optuna.cli.render import Format

WORLD = go.Grid.named("world-2018")

# Table 1 of Douwes, Esling and Briot (2021): hardware, devices, hours, kWh and kg CO2e as printed.
TABLE_1 = [
    ("GTX TITAN X", 1, 168, "42.0", "18.4"),
    ("P100 PCIe", 4, 52, "52.0", "22.7"),
    ("P100 PCIe", 1, 96, "24", "10.5"),
    ("V100 SXM2", 1, 108, "32.4", "14.16"),  # printed 15.45, which 0.437 x 32.4 is not
    ("V100 SXM2", 1, 272, "81.6", "35.7"),
]


def decimals(printed: str) -> int:
    """Count the decimals that a printed number has."""
    return len(printed.partition(".")[2])


# The figures


@pytest.mark.parametrize(("hardware", "count", "hours", "kwh", "kg"), TABLE_1)
def test_table_1_of_the_paper_comes_out(
    hardware: str, count: int, hours: float, kwh: str, kg: str
) -> None:
    """Each energy and each CO2e to the digits that are printed."""
    made = go.estimate(hardware, count=count, hours=hours, grid=WORLD)
    assert f"{made.energy_kwh:.{decimals(kwh)}f}" == kwh
    assert f"{made.co2e_kg:.{decimals(kg)}f}" == kg


@given(
    options=st.fixed_dictionaries(
        {
            "power_w": st.floats(1, 2000),
            "count": st.integers(1, 10_000),
            "hours": st.floats(0.01, 10_000),
            "utilisation": st.floats(0.01, 1),
        }
    ),
    intensity=st.floats(0, 1000),
    pue=st.floats(1, 3),
)
def test_an_estimate_is_the_product_of_all_that_it_is_given(
    options: dict[str, Any], intensity: float, pue: float
) -> None:
    """Equation 6 with the PUE of equation 4: linear in each factor; the PUE in the CO2e alone."""
    options = options | {"grid": go.Grid(carbon_intensity_g_per_kwh=intensity)}
    made = go.estimate("mine", **options)
    kwh = math.prod(options[name] for name in ("power_w", "count", "hours", "utilisation")) / 1000
    assert made.energy_kwh == pytest.approx(kwh, rel=1e-12)
    assert made.co2e_kg == pytest.approx(kwh * intensity / 1000, rel=1e-12)
    factors = {"power_w": 5, "count": 2, "hours": 3, "utilisation": 0.25}
    for name, factor in factors.items():
        scaled = go.estimate("mine", **options | {name: options[name] * factor})
        assert scaled.energy_kwh == pytest.approx(kwh * factor, rel=1e-12)
    housed = go.estimate("mine", **options, pue=pue)
    assert housed.energy_kwh == made.energy_kwh
    assert housed.co2e_kg == pytest.approx(made.co2e_kg * pue, rel=1e-12)


def test_a_named_pue_is_that_of_the_paper() -> None:
    """1.58 by its name, by its number and in the grid are one estimate."""
    energy: dict[str, Any] = {"hardware": "V100 SXM2", "hours": 272}
    named = go.estimate(**energy, grid=WORLD, pue="world-2018")
    assert named.co2e_kg == pytest.approx(81.6 * 0.437 * 1.58)
    assert go.estimate(**energy, grid=WORLD, pue=1.58).co2e_kg == named.co2e_kg
    housed = go.Grid.named("world-2018", pue=1.58)
    assert go.estimate(**energy, grid=housed).co2e_kg == named.co2e_kg
    assert named.grid == housed


# What is assumed


def test_every_assumption_is_said() -> None:
    """The power, which device, the intensity, the building, and what is left out."""
    made = go.estimate("A100", count=4, hours=12, country="FRA", pue="world-2018", utilisation=0.8)
    which, power, intensity, building, rest, making = made.assumptions
    assert which == (
        "'A100' may mean several devices; the one of most power is taken, A100 SXM4 (400 W), and "
        "not A100 PCIe 80GB (300 W), A100 PCIe 40GB (250 W)."
    )
    assert power.startswith("Each A100 SXM4 draws 0.8 times its rated power of 400 W on average (")
    assert made.device.source in power
    assert f"{go.Grid(country='FRA').source}" in intensity
    assert "1.58 times" in building
    assert "Strubell" in building
    assert "host processors" in rest
    assert "embodied" in making


def test_the_assumptions_of_the_worst_case_are_said_too() -> None:
    """All power all the time, and no PUE; of a processor, that it is the accelerators' absence."""
    power, _, building, rest, _ = go.estimate("AMD EPYC 7763", hours=1, grid=WORLD).assumptions
    assert "draws its rated power of 280 W all the time (CodeCarbon" in power
    assert building.startswith("No PUE is assumed")
    assert "accelerators" in rest


def test_a_given_power_makes_any_name_a_label() -> None:
    """Nothing is looked up, and the source says that it was given."""
    made = go.estimate("my own card", hours=10, power_w=350, grid=WORLD)
    assert made.device == go.Device("my own card", "other", 350.0, "given")
    assert made.energy_kwh == 3.5
    assert made.assumptions[0] == "Each my own card draws its power of 350 W all the time (given)."
    lowered = go.estimate("A100", hours=10, power_w=300, grid=WORLD)
    assert lowered.energy_kwh == 3.0


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere; without it there is no default place."""
    with pytest.raises(go.GridError, match="No place"):
        go.estimate("T4", hours=1)
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "SWE")
    assert go.estimate("T4", hours=1).grid == go.Grid(country="SWE")


def test_an_estimate_is_plain_data_and_one_line() -> None:
    """Ready for JSON, with its basis and the figures that it derives; frozen."""
    made = go.estimate("V100 SXM2", hours=272, grid=WORLD)
    plain = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert (plain["basis"], plain["rated_power_w"]) == ("estimated", 300.0)
    assert (plain["energy_kwh"], plain["co2e_kg"]) == (made.energy_kwh, made.co2e_kg)
    assert go.Grid.from_dict(plain["grid"]) == WORLD
    assert plain["assumptions"] == list(made.assumptions)
    assert str(made) == "1 x V100 SXM2 for 272 h: 81.6 kWh, 35.7 kg CO2e (estimated)"
    with pytest.raises(FrozenInstanceError):
        made.hours = 1.0  # type: ignore[misc]


# What cannot be estimated


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hours": 0}, "hours=0 is impossible; pass a finite number above 0."),
        ({"hours": -1.5}, "hours=-1.5"),
        ({"hours": math.nan}, "hours=nan"),
        ({"hours": math.inf}, "hours=inf"),
        ({"hours": True}, "hours=True"),
        ({"hours": "3"}, "hours='3'"),
        ({"hours": 10**400}, "hours=1000"),
        ({"count": 0}, "count=0"),
        ({"count": 1.5}, "count=1.5"),
        ({"count": True}, "count=True"),
        (
            {"utilisation": 0},
            "utilisation=0 is impossible; pass a finite number above 0 and up to 1.",
        ),
        ({"utilisation": 1.01}, "utilisation=1.01"),
        ({"power_w": -250}, "power_w=-250"),
        ({"power_w": 0}, "power_w=0"),
        ({"hardware": "A101"}, "hardware='A101' is unknown"),
        ({"hardware": 100}, "hardware=100 is no name"),
        ({"hardware": " "}, "hardware=' ' is no name"),
        ({"hardware": "=1+1", "power_w": 1}, "hardware='=1+1' is no name"),
        ({"hardware": "a\x1b[2J", "power_w": 1}, "is no name"),
    ],
)
def test_an_impossible_value_is_refused(options: dict[str, Any], said: str) -> None:
    """The error names the option, its value and what would do."""
    usual: dict[str, Any] = {"hardware": "T4", "hours": 1, "grid": WORLD}
    with pytest.raises(go.OptionError) as caught:
        go.estimate(**usual | options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grid": WORLD, "country": "FRA"}, "are both given"),
        ({"country": "France"}, "Did you mean FRA"),
        ({"grid": WORLD, "pue": 0.5}, "pue=0.5 is impossible"),
        ({"grid": WORLD, "pue": "mine"}, "No PUE has the name 'mine'"),
        ({"grid": go.Grid.named("world", pue=1.2), "pue": 1.5}, "has a PUE of 1.2 already"),
        ({"grid": go.Grid.named("world", pue=1.2), "pue": "world-2018"}, "a PUE of 1.2 already"),
    ],
)
def test_a_place_or_pue_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    """Never a silent choice between two."""
    with pytest.raises(go.GridError) as caught:
        go.estimate("T4", hours=1, **options)
    assert said in str(caught.value)


# On the command line


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Call ``green-optuna estimate``; give the exit code and what was written."""
    code = main(["estimate", *arguments])
    written = capsys.readouterr()
    return code, written.out, written.err


FLOWAVENET = ("--hardware", "V100 SXM2", "--hours", "272", "--grid-name", "world-2018")


def test_the_command_shows_the_cost_and_what_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    """Scaled, in a table, with each assumption on a line of its own."""
    code, out, err = run(capsys, *FLOWAVENET, "--pue", "world-2018")
    assert (code, err) == (0, "")
    assert "81.6 kWh" in out
    assert "56.3 kg" in out
    lines = out.partition("Assumed:\n")[2].splitlines()
    made = go.estimate("V100 SXM2", hours=272, grid=WORLD, pue="world-2018")
    assert lines == [f"- {assumption}" for assumption in made.assumptions]


def test_the_command_gives_scripts_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON what the function gives, as CSV one row of it."""
    made = go.estimate("V100 SXM2", hours=272, grid=WORLD)
    _, out, _ = run(capsys, *FLOWAVENET, "--format", "json")
    assert json.loads(out) == made.to_dict()
    _, out, _ = run(capsys, *FLOWAVENET, "--format", "csv")
    (row,) = csv_rows(out)
    assert float(row["co2e_kg"]) == made.co2e_kg
    assert (row["hardware"], row["country"]) == ("V100 SXM2", "")
    assert (row["carbon_intensity_source"], row["assumptions"]) == (
        WORLD.source,
        " ".join(made.assumptions),
    )


def test_the_flags_are_the_options_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    """Count, utilisation, power, place and PUE come through."""
    flags = ("--count", "4", "--utilisation", "0.5", "--power-w", "100", "--hours", "10")
    place = ("--country", "USA", "--region", "california", "--pue", "1.2")
    _, out, _ = run(capsys, "--hardware", "mine", *flags, *place, "--format", "json")
    grid = go.Grid(country="USA", region="california")
    made = go.estimate("mine", count=4, utilisation=0.5, power_w=100, hours=10, grid=grid, pue=1.2)
    assert json.loads(out) == made.to_dict()
    own = ("--hardware", "T4", "--hours", "1", "--carbon-intensity", "50", "--format", "json")
    assert json.loads(run(capsys, *own)[1])["grid"]["carbon_intensity_g_per_kwh"] == 50.0


@pytest.mark.parametrize("output", Format)
def test_the_known_hardware_is_listed(capsys: pytest.CaptureFixture[str], output: Format) -> None:
    """Accelerators with their power and source, and processors where they are asked for."""
    code, out, err = run(capsys, "--list", "--format", output)
    assert code == 0
    assert "A100 SXM4" in out
    assert "EPYC" not in out
    assert "processors (CodeCarbon" in err
    _, out, err = run(capsys, "--list", "epyc", "776", "--format", output)
    assert "AMD EPYC 7763" in out
    assert "280" in out
    assert "A100" not in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--hardware and --hours"),
        (("--hardware", "T4"), "--hardware and --hours"),
        (("--hours", "x"), "--hours"),
        (("--hardware", "A101", "--hours", "1", "--country", "FRA"), "--power-w="),
        (("--hardware", "T4", "--hours", "-1", "--country", "FRA"), "--hours=-1.0"),
        (("--hardware", "T4", "--hours", "1"), "--carbon-intensity NUMBER"),
        (("--hardware", "T4", "--hours", "1", "--country", "FRB"), "--country='FRB'"),
        (("--hardware", "T4", "--hours", "1", "--country", "FRA", "--pue", "0.5"), "--pue=0.5"),
        ((*FLOWAVENET, "--country", "FRA"), "--grid-name='world-2018' and --country='FRA'"),
        ((*FLOWAVENET, "--pue", "mine"), "'mine'"),
        (("--hardware", "T4", "--hours", "1", "--grid-name", "wrld"), "Did you mean world?"),
        (("T4", "--hours", "1"), "--list"),
        (("--list", "no such device"), "--list 'no such device'"),
    ],
)
def test_wrong_usage_ends_with_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """In one line, with the flag at fault."""
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def csv_rows(text: str) -> list[dict[str, str]]:
    """Read CSV with a heading."""
    return list(csv.DictReader(text.splitlines()))
