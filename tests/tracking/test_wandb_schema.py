"""How a trial is put for Weights & Biases: ids, keys, values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_optuna.tracking.wandb import schema

from .records import TERMS, make_measurement, make_record


@given(st.dictionaries(st.text("a._\n", max_size=5), st.integers(), max_size=8))
def test_no_two_names_share_a_key(values: dict[str, object]) -> None:
    """Each value has its key, without a dot, whatever the names have become."""
    keyed = schema.keyed(values)
    assert sorted(map(str, keyed.values())) == sorted(map(str, values.values()))
    assert not [key for key in keyed if "." in key or not key]


@pytest.mark.parametrize("name", ["x", "lr", "layer/units", "a-b c:d", "größe"])
def test_a_name_that_wandb_takes_stays_as_it_is(name: str) -> None:
    """Hyperparameters go by their bare Optuna names."""
    assert schema.key_for(name) == name


@pytest.mark.parametrize(
    ("name", "key"),
    [("layer.0", "layer_0"), ("", "_"), ("_wandb", "_wandb_"), ("green_optuna", "green_optuna_")],
)
def test_a_name_that_means_something_else_there_is_changed(name: str, key: str) -> None:
    """A dot is a key within a key, and two keys are not the user's."""
    assert schema.key_for(name) == key


def test_a_parameter_of_our_own_name_does_not_replace_what_we_say() -> None:
    """Both are in the config."""
    config = schema.config(make_record(params={"green_optuna": 3}))
    assert config["green_optuna_"] == 3
    assert isinstance(config["green_optuna"], dict)


def test_what_is_too_long_is_shortened_visibly() -> None:
    """Keys and texts say so; names that share a long beginning are told apart."""
    record = make_record(
        params={"n" * 300: "v" * 20_000},
        error="e" * 20_000,
        state="failed",
        user_attrs={"i": 2**60},
    )
    ((key, value), _) = schema.config(record).items()
    summary = schema.summary(record)
    for text in (key, value, summary["green_optuna/error"]):
        assert str(text).endswith("...shortened")
    assert (len(key), len(str(value))) == (250, 10_000)
    assert summary["user_attrs/i"] == str(2**60)
    assert len(schema.keyed({"x" * 300 + "a": 1, "x" * 300 + "b": 2})) == 2


def test_a_group_is_named_after_its_study_within_wandbs_limit() -> None:
    """Studies whose long names begin alike have groups of their own."""
    assert schema.group_of("digits", TERMS.key) == "digits"
    one, other = (schema.group_of("s" * 200, key) for key in ("a", "b"))
    assert one != other
    assert len(one) == 128


def test_a_run_has_one_id_whoever_logs_it() -> None:
    """Another trial, another kind or another study has another."""
    record = make_record()
    others = [
        replace(record, number=8),
        replace(record, kind="measurement"),
        replace(record, terms=replace(TERMS, key="another")),
    ]
    assert schema.run_id(record) == schema.run_id(replace(record, state="killed"))
    assert len({schema.run_id(one) for one in [record, *others]}) == 4


def test_the_config_says_what_the_figures_rest_on() -> None:
    """Basis, sources, host, intensity, where it is from, and PUE."""
    record = make_record(state="complete", measurement=make_measurement([1.0], cpu_w=[50.0]))
    assert schema.config(record)["green_optuna"] == {
        "role": "trial",
        "study": "s",
        "study_key": TERMS.key,
        "trial": 7,
        "basis": "mixed",
        "host": "the-host",
        "fingerprint": "0123456789ab",
        "resolution_s": 0.1,
        "shared": False,
        "carbon_intensity_g_per_kwh": 100.0,
        "carbon_intensity_source": "the test",
        "pue": 1.5,
        "source": {"cpu": "RAPL", "gpu": "NVML", "ram": "10 W estimated for memory"},
    }
