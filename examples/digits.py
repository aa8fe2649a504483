"""Search over small networks that read handwritten digits, and choose one of little CO2e.

    pip install "green_optuna[examples]"
    python examples/digits.py

Each trial trains one network on scikit-learn's 1797 images (nothing is downloaded), and what it
costs is measured. The number of epochs is a hyperparameter like any other: how long a model is
trained weighs more in its CO2e than how cleverly the search goes on.
"""

import argparse

import numpy as np
import optuna
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import green_optuna as go
from green_optuna.terms import read_links
from green_optuna.units import format_co2e, format_count

# Networks this small gain nothing from a second thread, and pay for it.
torch.set_num_threads(1)
# The first optimiser imports a good part of torch, which the first trial should not pay for.
torch.optim.Adam([torch.zeros(1)])

images, labels = load_digits(return_X_y=True)
train_x, valid_x, train_y, valid_y = (
    torch.from_numpy(part)
    for part in train_test_split(
        (images / 16).astype(np.float32), labels, test_size=0.3, random_state=0, stratify=labels
    )
)


def make_model(width: int, depth: int) -> nn.Module:
    """Make a classifier with so many hidden layers of one width."""
    layers: list[nn.Module] = []
    for layer in range(depth):
        layers += [nn.Linear(width if layer else 64, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train_one_epoch(model: nn.Module, optimiser: torch.optim.Optimizer, batch_size: int) -> float:
    """Show the model each training image once; give its accuracy on the validation images."""
    order = torch.randperm(len(train_x))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(train_x[batch]), train_y[batch])
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
        optimiser.step()
    with torch.no_grad():
        return float((model(valid_x).argmax(dim=1) == valid_y).float().mean())


@go.green_objective(country="FRA")
def objective(trial: optuna.Trial) -> tuple[float, nn.Module]:
    """Train one network; give its accuracy, and the network itself, whose parameters count."""
    torch.manual_seed(0)
    width = trial.suggest_int("width", 8, 512, log=True)
    depth = trial.suggest_int("depth", 1, 3)
    learning_rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    batch_size = trial.suggest_categorical("batch_size", [32, 128, 512])
    epochs = trial.suggest_int("epochs", 1, 40)

    model = make_model(width, depth)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        accuracy = train_one_epoch(model, optimiser, batch_size)
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return accuracy, model


def print_front(front: go.ParetoFront) -> None:
    """Print the trials that no other one beats in accuracy, CO2e and size at once."""
    print(f"\n{len(front)} of {len(front.candidates.trials)} trials are on the Pareto front:\n")
    print("trial  accuracy  CO2e       parameters  hyperparameters")
    for row in sorted(front.to_dict()["trials"], key=lambda row: -row["quality"]):
        params = [f"{k[6:]}={v:.3g}" for k, v in row.items() if k.startswith("param_")]
        scores = f"{format_co2e(row['co2e_kg']):9}  {format_count(row['n_params']):10}"
        print(f"{row['trial']:5}  {row['quality']:8.1%}  {scores}  {' '.join(params)}")


def print_choice(front: go.ParetoFront) -> None:
    """Print the trial of least CO2e within 1 % of the best accuracy, what it saves, and how."""
    chosen = front.select(go.Tolerance(0.01))
    print(f"\n{chosen}")
    if chosen.measurement is not None and chosen.measurement.basis != "measured":
        sources = "; ".join(source.name for source in chosen.measurement.sources.values())
        print(f"Energy is {chosen.measurement.basis} on this machine: {sources}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Choose a network for digits, of little CO2e.")
    parser.add_argument("--n-trials", type=int, default=100, help="trials to add [100]")
    parser.add_argument("--storage", default="sqlite:///digits.db", help="Optuna's storage")
    parser.add_argument("--study", default="digits", help="its name; resumed if it exists")
    args = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # the progress bar says enough
    sampler = optuna.samplers.TPESampler(seed=0)
    study = go.create_study(args.study, storage=args.storage, sampler=sampler)
    study.optimize(objective, n_trials=args.n_trials, show_progress_bar=True)

    front = go.pareto_front(study, allow_mixed=True)  # resumed on another machine, it says so
    print_front(front)
    if front.mixed:
        print(f"\n{front.note}")
    print_choice(front)
    chosen = front.select()
    print(front.ledger.summary(chosen.number, chosen.measurement))
    for link in read_links(study).values():
        print(f"Trials and energy traces: {link}")
