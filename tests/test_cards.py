"""The energy card of a model: its figures, its metadata, and that no text breaks out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import green_optuna as go
from green_optuna.cards import MAX_DESCRIPTION

if TYPE_CHECKING:
    from pathlib import Path

GRID = go.Grid(
    country="USA",
    region="california",
    carbon_intensity_g_per_kwh=200.0,
    source="the test: 2024",
    pue=1.2,
)
MEASUREMENT = go.Measurement(
    energy=go.ComponentEnergy(cpu_kwh=0.3, gpu_kwh=0.0, ram_kwh=0.1),
    duration_s=3600.0,
    grid=GRID,
    sources={"cpu": go.Source("RAPL", measured=True)},
    host="a host",
    runs=2,
)
SAVED = go.SavedModel(
    flavor="pytorch",
    form="pickle",
    hardware=("AMD EPYC", "2 cores"),
    versions={"green_optuna": "0.1.0", "codecarbon": "3.3.2"},
)
CARD = go.ModelCard(
    study_name="digits",
    trial="12",
    rule="tolerance",
    rule_description="least CO2e within 1 % of the best quality",
    objectives={"quality_loss": 0.03, "co2e_kg": 0.048, "n_params": 1960},
    intervals={"co2e_kg": go.Interval(mean=0.048, low=0.04, high=0.056, confidence=0.95, n=2)},
    quality=0.97,
    params={"width": 26},
    measurement=MEASUREMENT,
    inference=None,
    ledger=None,
    run_ids={"mlflow": "abc"},
    model=SAVED,
)


def front_matter(card: go.ModelCard) -> Any:  # noqa: ANN401 - whatever YAML gives
    """What a loader reads of a card's front matter."""
    _, front, _ = card.to_markdown().split("---\n", maxsplit=2)
    return yaml.safe_load(front)


def test_the_metadata_are_those_of_hugging_face_in_grams_of_one_training() -> None:
    """0.4 kWh over two runs, at 200 g/kWh and PUE 1.2, are 48 g a training."""
    read = front_matter(replace(CARD, training_type="pre-training"))
    field = read["co2_eq_emissions"]
    assert field.pop("emissions") == pytest.approx(0.4 / 2 * 200 * 1.2)
    assert field == {
        "source": "green_optuna 0.1.0 with CodeCarbon 3.3.2: energy measured, 200 g/kWh "
        "(the test: 2024), PUE 1.2",
        "training_type": "pre-training",
        "geographical_location": "california, USA",
        "hardware_used": "AMD EPYC, 2 cores",
    }


def test_what_nobody_said_is_left_out() -> None:
    """No training type, place or hardware is guessed, and nothing at all is measured twice."""
    nowhere = replace(MEASUREMENT, grid=go.Grid(carbon_intensity_g_per_kwh=50.0))
    field = front_matter(replace(CARD, measurement=nowhere, model=None))["co2_eq_emissions"]
    assert set(field) == {"emissions", "source"}
    assert front_matter(replace(CARD, measurement=None)) is None
    assert "energy_kwh" not in " ".join(replace(CARD, measurement=None).tags())


@given(st.floats(min_value=1e-15, max_value=1e6))
def test_emissions_are_a_number_however_small(energy_kwh: float) -> None:
    """YAML takes 9e-05 for a text: what is written is read as the number."""
    energy = go.ComponentEnergy(cpu_kwh=energy_kwh, gpu_kwh=0.0, ram_kwh=0.0)
    card = replace(CARD, measurement=replace(MEASUREMENT, energy=energy))
    assert front_matter(card)["co2_eq_emissions"]["emissions"] == pytest.approx(
        energy_kwh / 2 * 200 * 1.2
    )


@given(st.text())
@example("\x85")
def test_no_text_breaks_out_of_the_front_matter(text: str) -> None:
    """Whatever stands as the source of an intensity is read as it was, and ends no document."""
    grid = go.Grid(carbon_intensity_g_per_kwh=50.0, source=f"x{text}x")
    card = replace(CARD, measurement=replace(MEASUREMENT, grid=grid))
    source = card.metadata()["co2_eq_emissions"]["source"]
    lines = card.to_markdown().split("\n")
    end = lines.index("---", 1)
    read = yaml.safe_load("\n".join(lines[1:end]))
    assert read["co2_eq_emissions"]["source"] == source


@pytest.mark.parametrize(
    "text", ["a | b", "<script>x</script>", "a\n# b", "[x](javascript:y)", "`"]
)
def test_no_text_breaks_out_of_a_table(text: str) -> None:
    """Names and values of the user's own are shown as they are."""
    card = replace(CARD, study_name=text, params={text: text})
    shown = card.to_markdown().partition("\n---\n")[2]
    assert "<" not in shown
    assert "](" not in shown
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert all(line.count("|") == 3 for line in rows)
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        shown.strip().splitlines()[0]
    ]


def test_no_password_is_in_a_card() -> None:
    """A hyperparameter may be the URL of a data set."""
    card = replace(CARD, params={"data": "postgresql://me:s3cret@host/db"})
    assert "s3cret" not in card.to_markdown() + card.describe() + " ".join(card.tags().values())


def test_the_text_says_what_was_measured_and_how() -> None:
    """Figures are scaled, with their intervals, beside the basis they rest on."""
    text = CARD.describe()
    assert "| CO2e | 48.0 g (40.0 g to 56.0 g) |" in text
    assert "| energy | 200 Wh |" in text
    assert "least CO2e within 1 % of the best quality" in text
    assert "Energy of one training in california, USA, measured (cpu: RAPL)." in text
    assert "Trained on AMD EPYC, 2 cores." in text
    assert len(replace(CARD, params={f"p{n}": "x" * 99 for n in range(99)}).describe()) <= (
        MAX_DESCRIPTION
    )


def test_a_card_is_written_to_a_file_that_ends_in_md(tmp_path: Path) -> None:
    """Another name is refused, as is a folder that is not there."""
    path = CARD.save(tmp_path / "README.md")
    assert path.read_text(encoding="utf-8") == CARD.to_markdown()
    for wrong in ("README.txt", "no/README.md"):
        with pytest.raises(go.OptionError, match="Cannot write the card"):
            CARD.save(tmp_path / wrong)
