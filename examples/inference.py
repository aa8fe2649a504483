"""Two networks that make a note of sound: the smaller one is by far the dearer one to run.

    pip install "green_optuna[torch]"
    python examples/inference.py

The number of parameters is what papers compare where they speak of inference. Here both networks
turn a pitch and an instrument into a quarter of a second of sound, and what a note costs is
measured. One makes it sample by sample, each from the one before (as SampleRNN, Mehri et al. 2017,
arXiv:1612.07837); the other makes all of it in one pass of convolutions (after SING, Defossez et
al. 2018, arXiv:1810.09785). They are not trained, which what they cost does not depend on, and
nothing is downloaded.
"""

import torch
from torch import nn

import green_optuna as go
from green_optuna.units import format_bytes, format_count, format_energy, format_latency

# Networks this small gain nothing from a second thread, and pay for it.
torch.set_num_threads(1)

PITCHES, INSTRUMENTS = 128, 16
LENGTH = 2048  # a quarter of a second at 8 kHz
LEVELS = 256  # of a sample in 8 bits


class SampleBySample(nn.Module):
    """A recurrent network that draws each sample after it has seen the one before."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.pitch = nn.Embedding(PITCHES, width)
        self.instrument = nn.Embedding(INSTRUMENTS, width)
        self.sample = nn.Embedding(LEVELS, width)
        self.memory = nn.GRUCell(width, width)
        self.scores = nn.Linear(width, LEVELS)

    def forward(self, pitch: torch.Tensor, instrument: torch.Tensor) -> torch.Tensor:
        """Make notes of shape (batch, LENGTH), between -1 and 1."""
        state = self.pitch(pitch) + self.instrument(instrument)
        level = torch.full_like(pitch, LEVELS // 2)
        levels = []
        for _ in range(LENGTH):
            state = self.memory(self.sample(level), state)
            chances = torch.softmax(self.scores(state), dim=1)
            level = torch.multinomial(chances, 1).squeeze(1)
            levels.append(level)
        return torch.stack(levels, dim=1) / (LEVELS / 2) - 1


class OnePass(nn.Module):
    """A convolutional decoder that makes all samples at once, from 32 frames of features."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.frames = LENGTH // 64
        self.width = width
        self.pitch = nn.Embedding(PITCHES, width)
        self.instrument = nn.Embedding(INSTRUMENTS, width)
        self.spread = nn.Linear(width, width * self.frames)
        layers: list[nn.Module] = []
        for halvings in range(3):
            here = width >> halvings
            layers += [nn.ConvTranspose1d(here, here // 2, 8, stride=4, padding=2), nn.ReLU()]
        self.decode = nn.Sequential(*layers, nn.Conv1d(width // 8, 1, 9, padding=4), nn.Tanh())

    def forward(self, pitch: torch.Tensor, instrument: torch.Tensor) -> torch.Tensor:
        """Make notes of shape (batch, LENGTH), between -1 and 1."""
        features = self.spread(self.pitch(pitch) + self.instrument(instrument))
        notes: torch.Tensor = self.decode(features.view(-1, self.width, self.frames))
        return notes.squeeze(1)


def interval(shown: go.Interval) -> str:
    """Show a mean energy with how far its 95 % interval goes either way."""
    return f"{format_energy(shown.mean)} +- {(shown.high - shown.mean) / shown.mean:.1%}"


def print_table(costs: dict[str, go.InferenceCost]) -> None:
    """Print what a note of each network takes, as counted and as measured."""
    print("\nnetwork           parameters  operations  memory   time     energy a note")
    for name, cost in costs.items():
        if cost.energy_kwh and cost.duration_s and cost.flops and cost.n_params:
            print(
                f"{name:16}  {format_count(cost.n_params):10}  "
                f"{format_count(cost.flops.per_sample):10}  "
                f"{format_bytes(cost.peak_memory_bytes or 0):7}  "
                f"{format_latency(cost.duration_s.mean):7}  {interval(cost.energy_kwh)}"
            )


def print_choice(costs: dict[str, go.InferenceCost]) -> None:
    """Print which network the parameters choose, and which one the measurement does."""
    smallest = min(costs, key=lambda name: costs[name].n_params or 0)
    cheapest = min(costs, key=lambda name: costs[name].inference_kwh or 0)
    ratio = (costs[smallest].inference_kwh or 0) / (costs[cheapest].inference_kwh or 1)
    print(
        f"\nThe number of parameters chooses {smallest!r}. Measured, a note of {cheapest!r} takes "
        f"{ratio:.0f} times less energy."
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    notes = (torch.tensor([57, 60, 64, 69]), torch.tensor([0, 3, 7, 11]))  # pitches, instruments
    models = {"sample by sample": SampleBySample(), "one pass": OnePass()}
    costs = {
        name: go.measure_inference(model, notes, country="FRA") for name, model in models.items()
    }
    print_table(costs)
    print_choice(costs)
    print(costs["one pass"])
