"""What the paper printed: the inputs of its tables, and the cells that follow from them.

Source: Douwes, Esling and Briot, "A multi-objective approach for sustainable generative audio
models" (2021), https://hal.science/hal-03296897: section 3 and table 1 for the trainings, section
4 and table 2 for quality and parameters, figure 3 for the fronts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A row of table 1.

    Attributes:
        model: The model's name.
        count: How many devices trained it.
        printed_device: The device, as the table has it.
        device: The variant of it whose rated power is the table's, by its name here.
        hours: How long the training took, in h.
        total_power_w: What the table calls p_max: the rated power of all devices, in W.
        energy_kwh: The energy in kWh, as printed.
        co2e_kg: The CO2e in kg, as printed.
    """

    model: str
    count: int
    printed_device: str
    device: str
    hours: float
    total_power_w: str
    energy_kwh: str
    co2e_kg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A row of table 2 that has mean opinion scores.

    Attributes:
        model: The model's name.
        mos: Its mean opinion score.
        mos_spread: What stands behind ± there.
        reference_mos: That of the ground truth.
        reference_spread: What stands behind ± there.
        loss: 1 - %MOS, as printed.
        n_params: Its number of parameters.
    """

    model: str
    mos: float
    mos_spread: float
    reference_mos: float
    reference_spread: float
    loss: str
    n_params: int


TRAININGS: Final = (
    Training(
        model="SampleRNN",
        count=1,
        printed_device="GTX TITAN X",
        device="GTX TITAN X",
        hours=168.0,
        total_power_w="250",
        energy_kwh="42.0",
        co2e_kg="18.4",
    ),
    Training(
        model="SING",
        count=4,
        printed_device="NVIDIA P100",
        device="P100 PCIe",
        hours=52.0,
        total_power_w="1000",
        energy_kwh="52.0",
        co2e_kg="22.7",
    ),
    Training(
        model="WaveGAN",
        count=1,
        printed_device="NVIDIA P100",
        device="P100 PCIe",
        hours=96.0,
        total_power_w="250",
        energy_kwh="24",
        co2e_kg="10.5",
    ),
    Training(
        model="GANSynth",
        count=1,
        printed_device="NVIDIA V100",
        device="V100 SXM2",
        hours=108.0,
        total_power_w="300",
        energy_kwh="32.4",
        co2e_kg="15.45",
    ),
    Training(
        model="FloWaveNet",
        count=1,
        printed_device="NVIDIA V100",
        device="V100 SXM2",
        hours=272.0,
        total_power_w="300",
        energy_kwh="81.6",
        co2e_kg="35.7",
    ),
)

LISTENINGS: Final = (
    Listening(
        model="SING",
        mos=2.8,
        mos_spread=0.24,
        reference_mos=3.86,
        reference_spread=0.24,
        loss="0.26",
        n_params=64_000_000,
    ),
    Listening(
        model="WaveGAN",
        mos=2.3,
        mos_spread=0.9,
        reference_mos=3.9,
        reference_spread=0.9,
        loss="0.41",
        n_params=89_000_000,
    ),
    Listening(
        model="FloWaveNet",
        mos=3.95,
        mos_spread=0.15,
        reference_mos=4.67,
        reference_spread=0.08,
        loss="0.15",
        n_params=186_000_000,
    ),
)

# Compared in pairs in their own papers, so that there is no mean opinion score.
WITHOUT_MOS: Final = (("SampleRNN", 52_000_000), ("GANSynth", 15_000_000))

# Figure 3 and section 4.2: who is on each front.
TRAINING_FRONT: Final = ("FloWaveNet", "SING", "WaveGAN")
INFERENCE_FRONT: Final = ("FloWaveNet", "SING")
