"""A grid says how much CO2e a kilowatt-hour is, from where, and never guesses."""

import json
import logging
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import FrozenInstanceError, replace
from importlib.metadata import version

import numpy as np
import pytest
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.carbon import Grid, named_pue, resolve_grid
from green_optuna.errors import GridError

CODECARBON = f"CodeCarbon {version('codecarbon')}"
COUNTRY = "GREEN_OPTUNA_COUNTRY"
INTENSITY = "GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH"

STATES = ["california", "Texas", "District of Columbia", "west virginia"]
PROVINCES = ["quebec", "Ontario", "Nova Scotia", "alberta", "newfoundland and labrador", "nunavut"]
CHINESE = ["Beijing", "inner mongolia", "Guangxi Zhuang Autonomous Region", "Yunnan Province"]
REGIONS = [
    *(("USA", region) for region in STATES),
    *(("CAN", region) for region in PROVINCES),
    *(("CHN", region) for region in CHINESE),
    *(("SWE", zone) for zone in ("SE1", "se2", "SE3", "SE4")),
    *(("NOR", zone) for zone in ("NO1", "NO2", "NO3", "NO4", "no5")),
    ("FIN", "FI"),
]


@pytest.fixture(autouse=True)
def quiet_codecarbon() -> Iterator[None]:
    """Keep CodeCarbon's logger, which writes to the terminal, from doing so."""
    logger = logging.getLogger("codecarbon")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def codecarbon_data() -> DataSource:
    """Return what CodeCarbon reads its own figures with."""
    return DataSource()  # type: ignore[no-untyped-call]


def codecarbon_g_per_kwh(country: str, region: str | None = None) -> float:
    """Return what CodeCarbon itself computes for one kWh, in g."""
    emissions, energy = Emissions(codecarbon_data()), Energy.from_energy(kWh=1.0)
    place = GeoMetadata(country_iso_code=country, country_name=country, region=region)
    if region is None:
        return 1000.0 * float(emissions.get_country_emissions(energy, place))
    return 1000.0 * float(emissions.get_region_emissions(energy, place))


def run_python(script: str) -> str:
    """Return what a script prints in an interpreter of its own."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_every_country_has_the_intensity_that_codecarbon_computes() -> None:
    """For each country that CodeCarbon knows, both give the same g/kWh."""
    countries = codecarbon_data().get_global_energy_mix_data()
    assert len(countries) > 200
    ours = {code: Grid(country=code).carbon_intensity_g_per_kwh for code in countries}
    assert ours == pytest.approx({code: codecarbon_g_per_kwh(code) for code in countries})


@pytest.mark.parametrize(("country", "region"), REGIONS)
def test_a_region_has_the_intensity_that_codecarbon_computes(country: str, region: str) -> None:
    """States, provinces and bidding zones agree with CodeCarbon, whatever the capitals."""
    grid = Grid(country=country, region=region)
    theirs = codecarbon_g_per_kwh(country, region)
    assert grid.carbon_intensity_g_per_kwh == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(("country", "region"), REGIONS)
def test_the_region_kept_is_one_that_codecarbon_knows(country: str, region: str) -> None:
    """A region is kept under CodeCarbon's name for it, so that it can be handed to CodeCarbon."""
    grid = Grid(country=country, region=region)
    theirs = codecarbon_g_per_kwh(country, grid.region)
    assert grid.carbon_intensity_g_per_kwh == pytest.approx(theirs, rel=1e-12)
    assert grid == Grid(country=country, region=grid.region)


@pytest.mark.parametrize(
    ("country", "alias", "region"),
    [
        ("USA", "CA", "california"),
        ("USA", "dc", "district of columbia"),
        ("CAN", "Québec", "quebec"),
    ],
)
def test_a_region_goes_by_its_other_names(country: str, alias: str, region: str) -> None:
    """Two letters will do for an American state, and accents do not matter."""
    assert Grid(country=country, region=alias) == Grid(country=country, region=region)


def test_no_pounds_are_left() -> None:
    """An American figure, in lb/MWh, is in g/kWh: a pound is 453.59237 g, a MWh 1000 kWh."""
    pounds = codecarbon_data().get_country_emissions_data("usa")["texas"]["emissions"]
    texas = Grid(country="USA", region="Texas")
    assert texas.carbon_intensity_g_per_kwh == pytest.approx(pounds * 453.59237 / 1000)


def test_the_source_of_a_figure_is_told() -> None:
    """A looked-up figure says which CodeCarbon, which place and which year."""
    assert Grid(country="FRA").source == f"{CODECARBON}: France, 2023"
    assert Grid(country="SWE", region="SE3").source == f"{CODECARBON}: SE3, Sweden, 2025"
    texas = Grid(country="USA", region="TX")
    assert texas.source == f"{CODECARBON}: texas, United States, 2023"
    assert Grid(carbon_intensity_g_per_kwh=30.0).source == "given"


def test_a_country_goes_by_its_code_in_any_case() -> None:
    """Codes are kept in capitals."""
    assert Grid(country=" fra ") == Grid(country="FRA")
    assert Grid(country="fra").country == "FRA"


def test_a_given_intensity_wins() -> None:
    """With an intensity of one's own nothing is looked up: country and region are labels."""
    grid = Grid(
        country="lie",
        region="Vaduz",
        carbon_intensity_g_per_kwh=30,
        source="the power company, 2026",
        pue=1.2,
    )
    assert (grid.country, grid.region) == ("LIE", "Vaduz")
    assert grid.carbon_intensity_g_per_kwh == 30.0
    assert type(grid.carbon_intensity_g_per_kwh) is float
    assert grid.source == "the power company, 2026"


@given(
    energy_kwh=st.floats(0.0, 1e9),
    intensity=st.floats(0.0, 2000.0),
    pue=st.floats(1.0, 3.0),
)
def test_co2e_is_energy_times_intensity_times_pue(
    energy_kwh: float, intensity: float, pue: float
) -> None:
    """Equations 4 and 6: kg CO2e = kWh x kg/kWh x PUE."""
    grid = Grid(carbon_intensity_g_per_kwh=intensity, pue=pue)
    expected = pytest.approx(pue * energy_kwh * (intensity / 1000), rel=1e-12)
    assert grid.co2e_kg(energy_kwh) == expected


@pytest.mark.parametrize(("energy_kwh", "co2e_kg"), [(42.0, 18.4), (52.0, 22.7), (81.6, 35.7)])
def test_the_estimates_of_the_paper_come_out(energy_kwh: float, co2e_kg: float) -> None:
    """Table 1 of Douwes, Esling and Briot (2021), at their 0.437 kg/kWh."""
    assert Grid.named("world-2018").co2e_kg(energy_kwh) == pytest.approx(co2e_kg, abs=0.05)


def test_the_world_of_the_paper_goes_by_its_name() -> None:
    """0.437 kg/kWh of no place, with its source; the capitals of the name do not matter."""
    world = Grid.named("World-2018", pue=1.2)
    assert (world.country, world.region, world.pue) == (None, None, 1.2)
    assert world.carbon_intensity_g_per_kwh == 437.0
    assert "carbonfootprint.com" in world.source


def test_the_world_of_codecarbon_is_what_codecarbon_takes_for_an_unknown_country() -> None:
    """Its fallback figure can be asked for by name, and is never a default."""
    world = Grid.named("world")
    assert world.carbon_intensity_g_per_kwh == pytest.approx(codecarbon_g_per_kwh("QQQ"))
    assert world.source.startswith(f"{CODECARBON}: world, https://www.iea.org/")


@pytest.mark.parametrize(("name", "said"), [("wrld", "Did you mean world?"), ("", "name=''")])
def test_an_unknown_name_is_no_grid(name: str, said: str) -> None:
    """The error names the nearest, and what else to pass."""
    with pytest.raises(GridError) as caught:
        Grid.named(name)
    assert said in str(caught.value)


def test_the_pue_of_the_paper_goes_by_its_name() -> None:
    """1.58, with the paper that it is from; an unknown name is answered with the known one."""
    assert named_pue("world-2018").value == 1.58
    assert "10.18653/v1/P19-1355" in named_pue("world-2018").source
    with pytest.raises(GridError, match=r"No PUE has the name 'mine'; .*world-2018"):
        named_pue("mine")


@pytest.mark.parametrize(
    ("country", "nearest"),
    [
        ("France", "FRA (France)"),
        ("Germny", "DEU (Germany)"),
        ("FRB", "FRA (France)"),
        ("US", "USA (United States)"),
    ],
)
def test_an_unknown_country_is_answered_with_the_nearest(country: str, nearest: str) -> None:
    """The error names the country and the nearest code, by code or by name."""
    with pytest.raises(GridError) as caught:
        Grid(country=country)
    assert f"country={country!r} is unknown" in str(caught.value)
    assert nearest in str(caught.value)


def test_a_name_that_is_exact_is_answered_with_its_code_alone() -> None:
    """France is FRA, and nothing that looks like it."""
    with pytest.raises(GridError, match=r"Did you mean FRA \(France\)\? Pass"):
        Grid(country="France")


def test_a_country_unlike_any_gets_no_suggestion() -> None:
    """Where nothing is near the error still says what to pass."""
    with pytest.raises(GridError, match=r"'QQQ' is unknown to CodeCarbon \S+\. Pass an ISO 3166"):
        Grid(country="QQQ")


@pytest.mark.parametrize(
    ("country", "region", "nearest"),
    [
        ("USA", "Californa", "Did you mean california?"),
        ("CAN", "Qubec", "Did you mean quebec?"),
        ("CHN", "Tibet", "It knows beijing, tianjin,"),
        ("SWE", "SE5", "Did you mean SE"),
        ("SWE", "NO1", "It knows SE1, SE2, SE3, SE4."),
        ("USA", "usa", "It knows alabama,"),
        ("USA", "_unit", "It knows alabama,"),
    ],
)
def test_an_unknown_region_is_never_its_country(country: str, region: str, nearest: str) -> None:
    """A region that is not known is an error with the nearest names, not the country's figure."""
    with pytest.raises(GridError) as caught:
        Grid(country=country, region=region)
    assert f"region={region!r} of {country} is unknown" in str(caught.value)
    assert nearest in str(caught.value)


def test_a_country_without_regional_figures_takes_no_region() -> None:
    """The error says which countries have regional figures."""
    with pytest.raises(GridError, match="CAN, CHN, FIN, NOR, SWE, USA, but none for FRA"):
        Grid(country="FRA", region="Bretagne")


def test_a_region_needs_its_country() -> None:
    """Georgia alone could be anywhere."""
    with pytest.raises(GridError, match="region='Georgia' needs its country"):
        Grid(region="Georgia")


@pytest.mark.parametrize(
    "intensity", [-1, math.nan, math.inf, True, "56", 10**400, [56.0], np.bool_(True), 5 + 0j]
)
def test_an_impossible_intensity_is_refused(intensity: float) -> None:
    """The error names the option, the value and what would do."""
    with pytest.raises(GridError, match="finite number from 0 up") as caught:
        Grid(carbon_intensity_g_per_kwh=intensity)
    assert f"carbon_intensity_g_per_kwh={intensity!r}" in str(caught.value)


@pytest.mark.parametrize("pue", [0.99, 0, -1.5, math.nan, math.inf, True, None, "1.2"])
def test_an_impossible_pue_is_refused(pue: float) -> None:
    """A building draws at least what the machines in it use."""
    with pytest.raises(GridError, match="finite number from 1 up") as caught:
        Grid(country="FRA", pue=pue)
    assert f"pue={pue!r}" in str(caught.value)


@pytest.mark.parametrize("number", [56, np.float32(56), np.float64(56), np.int64(56)], ids=repr)
def test_numbers_of_numpy_are_numbers(number: float) -> None:
    """Whatever real number is given, a float is kept."""
    grid = Grid(carbon_intensity_g_per_kwh=number, pue=number)
    assert (grid.carbon_intensity_g_per_kwh, grid.pue) == (56.0, 56.0)
    assert type(grid.carbon_intensity_g_per_kwh) is type(grid.pue) is float


@pytest.mark.parametrize("name", ["country", "region", "source"])
@pytest.mark.parametrize("value", ["", "  ", 33, b"FRA"])
def test_a_name_is_a_text_with_something_in_it(name: str, value: str) -> None:
    """Empty texts and other objects are refused, by the option's name."""
    options = {"country": "USA", "region": "TX", "source": "mine", name: value}
    with pytest.raises(GridError, match=f"{name}={value!r} is not a name"):
        Grid(
            country=options["country"],
            region=options["region"],
            source=options["source"],
            carbon_intensity_g_per_kwh=100.0,
        )


def test_a_source_without_its_intensity_is_refused() -> None:
    """A source is kept with the figure it belongs to, and never passed over."""
    with pytest.raises(GridError, match="source='the power company'"):
        Grid(country="FRA", source="the power company")


def test_nothing_given_is_no_place() -> None:
    """There is no default place: the error says each way to name one."""
    nowhere: list[Callable[[], Grid]] = [
        Grid,
        lambda: Grid(pue=1.5),
        lambda: Grid.from_environment({}),
    ]
    for make in nowhere:
        with pytest.raises(GridError) as caught:
            make()
        for way in ('country="FRA"', "grid=Grid(carbon_intensity_g_per_kwh=", COUNTRY, INTENSITY):
            assert way in str(caught.value)


def test_the_environment_can_name_the_country() -> None:
    """A country in the environment is looked up like any other."""
    assert Grid.from_environment({COUNTRY: "swe"}) == Grid(country="SWE")


def test_the_intensity_in_the_environment_wins() -> None:
    """With both, the intensity counts, its source is told, and the country is its label."""
    alone = Grid.from_environment({INTENSITY: " 30.5 "})
    assert (alone.country, alone.carbon_intensity_g_per_kwh) == (None, 30.5)
    assert alone.source == f"environment variable {INTENSITY}"
    both = Grid.from_environment({INTENSITY: "30.5", COUNTRY: "FRA"})
    assert (both.country, both.carbon_intensity_g_per_kwh) == ("FRA", 30.5)
    assert both.source == alone.source


def test_a_blank_variable_is_not_set() -> None:
    """Shells and job files unset a variable by leaving it empty."""
    assert Grid.from_environment({COUNTRY: "FRA", INTENSITY: " "}) == Grid(country="FRA")
    with pytest.raises(GridError, match="No place"):
        Grid.from_environment({COUNTRY: "", INTENSITY: ""})


@pytest.mark.parametrize("text", ["56 g", "fifty", "nan", "inf", "-1", "1e999"])
def test_a_malformed_variable_is_named(text: str) -> None:
    """The error names the variable and what it holds."""
    with pytest.raises(GridError, match=f"environment variable {INTENSITY}='{text}'"):
        Grid.from_environment({INTENSITY: text})


def test_an_unknown_country_in_a_variable_is_told_from_an_argument() -> None:
    """The error names the variable, since the call at fault names no country."""
    with pytest.raises(GridError, match=f"environment variable {COUNTRY}: country='France'"):
        Grid.from_environment({COUNTRY: "France"})


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping, the variables are those of the process."""
    monkeypatch.delenv(COUNTRY, raising=False)
    monkeypatch.setenv(INTENSITY, "12.5")
    assert Grid.from_environment().carbon_intensity_g_per_kwh == 12.5
    assert resolve_grid(country=None, grid=None) == Grid.from_environment()
    assert resolve_grid(country="FRA", grid=None) == Grid(country="FRA")


def test_a_grid_is_what_its_options_mean() -> None:
    """A grid stays what it is, and a country alone is a grid."""
    grid = Grid(country="FRA", pue=1.3)
    assert resolve_grid(country=None, grid=grid) is grid
    assert resolve_grid(country="FRA", grid=None) == Grid(country="FRA")


def test_country_and_grid_are_not_both_given() -> None:
    """Two places would leave one of them without effect."""
    with pytest.raises(GridError, match=r"country='FRA' and grid=Grid.* are both given"):
        resolve_grid(country="FRA", grid=Grid(country="SWE"))


def test_a_grid_is_a_grid() -> None:
    """A text passed as a grid is answered with both forms."""
    with pytest.raises(GridError, match="grid='FRA' is of type str; pass a Grid"):
        resolve_grid(country=None, grid="FRA")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "grid",
    [
        Grid(country="FRA"),
        Grid(country="USA", region="TX", pue=1.58),
        Grid(country="LIE", carbon_intensity_g_per_kwh=30.0, source="the power company"),
        Grid(carbon_intensity_g_per_kwh=0.0),
    ],
    ids=lambda grid: grid.source,
)
def test_a_grid_survives_storage(grid: Grid) -> None:
    """JSON, pickle and copy give the same grid back, the looked-up figure included."""
    stored = json.loads(json.dumps(grid.to_dict(), allow_nan=False))
    assert Grid.from_dict(stored) == grid
    assert pickle.loads(pickle.dumps(grid)) == grid
    assert deepcopy(grid) == grid
    assert hash(Grid.from_dict(stored)) == hash(grid)


def test_a_stored_figure_is_not_looked_up_again() -> None:
    """A study keeps the figure it was made with, whatever the CodeCarbon of today says."""
    stored = Grid(country="FRA").to_dict() | {
        "carbon_intensity_g_per_kwh": 85.0,
        "source": "CodeCarbon 2.8.0: France, 2021",
    }
    assert Grid.from_dict(stored).carbon_intensity_g_per_kwh == 85.0
    assert Grid.from_dict(stored).source == "CodeCarbon 2.8.0: France, 2021"


@pytest.mark.parametrize(
    "change", [{"colour": "green"}, {"carbon_intensity_g_per_kwh": None}, {"country": 33}]
)
def test_a_stored_grid_is_complete(change: dict[str, object]) -> None:
    """A stored grid with a key too many, without its figure or of the wrong type is refused."""
    with pytest.raises(GridError):
        Grid.from_dict(Grid(country="FRA").to_dict() | change)


@pytest.mark.parametrize("name", list(Grid(country="FRA").to_dict()))
def test_a_stored_grid_has_every_key(name: str) -> None:
    """A key that is missing is never filled in with a default."""
    stored = Grid(country="FRA").to_dict()
    del stored[name]
    with pytest.raises(GridError, match=f"wants .*'{name}'"):
        Grid.from_dict(stored)


def test_a_grid_is_frozen_and_can_be_replaced() -> None:
    """A grid does not change; another PUE is another grid with the same figure."""
    grid = Grid(country="FRA")
    with pytest.raises(FrozenInstanceError):
        grid.pue = 2.0  # type: ignore[misc]
    other = replace(grid, pue=2.0)
    assert other.co2e_kg_per_kwh == 2 * grid.co2e_kg_per_kwh
    assert other.source == grid.source


def test_a_look_up_does_not_import_codecarbon() -> None:
    """CodeCarbon's files are read without running any of its code."""
    script = (
        "import sys\n"
        "from green_optuna.carbon import Grid\n"
        "Grid(country='USA', region='TX')\n"
        "print(any(name.partition('.')[0] == 'codecarbon' for name in sys.modules))\n"
    )
    assert run_python(script) == "False"


def test_without_codecarbon_the_error_says_what_to_install() -> None:
    """A figure of one's own needs no CodeCarbon; a look-up without it says how to get it."""
    script = (
        "import sys\n"
        "sys.modules['codecarbon'] = None  # as if it were not installed\n"
        "from green_optuna.carbon import Grid\n"
        "from green_optuna.errors import MissingPackageError\n"
        "Grid(country='FRA', carbon_intensity_g_per_kwh=56.0)\n"
        "try:\n    Grid(country='FRA')\n"
        "except MissingPackageError as error:\n    print(error)\n"
    )
    assert "pip install codecarbon" in run_python(script)
