"""Tell TensorBoard of each trial, with a tracker written here: any other tool goes the same way.

    pip install "green_optuna[examples]"
    python examples/tensorboard_tracker.py
    tensorboard --logdir runs

Each trial fits a small network to a wave for a second or two (nothing is downloaded); one that
learns nothing in its first epochs is pruned, and its energy is written all the same.
"""

import optuna
import torch
from torch.utils.tensorboard import SummaryWriter

import green_optuna as go


class TensorBoardTracker(go.Tracker):
    """Writes each trial to a folder that `tensorboard --logdir` shows."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def finish_trial(self, trial: go.TrialRecord) -> None:
        """Write hyperparameters, objectives, reports over steps and the trace over seconds."""
        folder = f"{self.folder}/{trial.study_name}/trial-{trial.number:04d}"
        with SummaryWriter(folder) as writer:
            writer.add_hparams(dict(trial.params), dict(trial.objectives), run_name=".")
            writer.add_text("state", trial.state)
            for point in go.trial_points(trial):
                at_s = point.timestamp_ms / 1000
                writer.add_scalar(point.key, point.value, point.step, walltime=at_s)


# Networks this small gain nothing from a second thread, and pay for it.
torch.set_num_threads(1)
# The first optimiser imports a good part of torch, which the first trial should not pay for.
torch.optim.Adam([torch.zeros(1)])
x = torch.linspace(-1.0, 1.0, 256).unsqueeze(1)
y = torch.sin(6.0 * x)


def fit(model: torch.nn.Module, optimiser: torch.optim.Optimizer) -> float:
    """Take 300 steps; give the part of the wave's variance that the model explains."""
    for _ in range(300):
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
        optimiser.step()
    return max(0.0, 1.0 - loss.item() / float(y.var()))


@go.green_objective(country="FRA", trackers=[TensorBoardTracker("runs")])
def objective(trial: optuna.Trial) -> tuple[float, torch.nn.Module]:
    """Fit one network; give how well it does, and the network itself, whose parameters count."""
    torch.manual_seed(0)
    width = trial.suggest_int("width", 4, 64, log=True)
    learning_rate = trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for epoch in range(15):
        quality = fit(model, optimiser)
        trial.report(quality, epoch)
        if epoch == 1 and quality < 0.15:
            raise optuna.TrialPruned
    return quality, model


if __name__ == "__main__":
    study = go.create_study(
        "wave", storage="sqlite:///wave.db", sampler=optuna.samplers.TPESampler(seed=0)
    )
    study.optimize(objective, n_trials=4)
    print("See each trial's energy over time: tensorboard --logdir runs")
