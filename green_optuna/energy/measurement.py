"""What a measurement is: energy per component, the trace over time, and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from green_optuna.energy.showing import costs_in_words, power_picture
from green_optuna.markup import (
    NOT_KNOWN,
    html_beside,
    html_heading,
    html_output,
    html_paragraph,
    html_table,
    in_words,
    pretty,
)
from green_optuna.units import format_energy, joules_from_kwh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from green_optuna.carbon import Grid

Component = Literal["cpu", "gpu", "ram"]
COMPONENTS: tuple[Component, ...] = ("cpu", "gpu", "ram")

Basis = Literal["measured", "mixed", "estimated"]


@dataclass(frozen=True, slots=True)
class ComponentEnergy:
    """Energy per component, each in kWh.

    Attributes:
        cpu_kwh: Energy of the processors, in kWh.
        gpu_kwh: Energy of the accelerators, in kWh.
        ram_kwh: Energy of the memory, in kWh.
    """

    cpu_kwh: float = 0.0
    gpu_kwh: float = 0.0
    ram_kwh: float = 0.0

    @property
    def total_kwh(self) -> float:
        """The sum over the components, in kWh."""
        return self.cpu_kwh + self.gpu_kwh + self.ram_kwh

    def __add__(self, other: ComponentEnergy) -> ComponentEnergy:
        """Add component by component."""
        return ComponentEnergy(
            self.cpu_kwh + other.cpu_kwh, self.gpu_kwh + other.gpu_kwh, self.ram_kwh + other.ram_kwh
        )

    def __sub__(self, other: ComponentEnergy) -> ComponentEnergy:
        """Subtract component by component."""
        return ComponentEnergy(
            self.cpu_kwh - other.cpu_kwh, self.gpu_kwh - other.gpu_kwh, self.ram_kwh - other.ram_kwh
        )

    def scaled(self, factor: float) -> ComponentEnergy:
        """Multiply each component."""
        return ComponentEnergy(self.cpu_kwh * factor, self.gpu_kwh * factor, self.ram_kwh * factor)

    def to_dict(self) -> dict[str, float]:
        """Give the energies in kWh by component: ``{"cpu": ..., "gpu": ..., "ram": ...}``."""
        return {"cpu": self.cpu_kwh, "gpu": self.gpu_kwh, "ram": self.ram_kwh}

    @classmethod
    def from_dict(cls, energy_kwh: Mapping[str, float]) -> Self:
        """Undo :meth:`to_dict`."""
        return cls(energy_kwh["cpu"], energy_kwh["gpu"], energy_kwh["ram"])


@dataclass(frozen=True, slots=True)
class Source:
    """Where the energy of one component comes from.

    Attributes:
        name: What was read or assumed, in words: "RAPL", "10 W estimated for memory".
        measured: True for a hardware counter or power sensor, False for a model of one.
        follows_cpu_time: Whether it is in proportion to the CPU time of this process and its
            children: a model without power at idle.
        resolution_s: How long it takes the source to give a new figure, in s: what lasts no
            longer is known roughly.
    """

    name: str
    measured: bool
    follows_cpu_time: bool = False
    resolution_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Power and energy over the time of one trial.

    The power at a point is the mean since the point before it, so power times time sums to
    the energy; there is no point at zero seconds.

    Attributes:
        t_s: Seconds since the trial began, an ndarray in the shape of (n_points,), increasing.
        cpu_w: Mean power of the processors in W, in the shape of (n_points,).
        gpu_w: Mean power of the accelerators in W, in the shape of (n_points,).
        ram_w: Mean power of the memory in W, in the shape of (n_points,).
        energy_kwh: Energy since the trial began in kWh, all components, in the shape of
            (n_points,), never decreasing.
    """

    t_s: npt.NDArray[np.float64]
    cpu_w: npt.NDArray[np.float64]
    gpu_w: npt.NDArray[np.float64]
    ram_w: npt.NDArray[np.float64]
    energy_kwh: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """The number of points."""
        return len(self.t_s)

    def __eq__(self, other: object) -> bool:
        """Tell whether all points are the same; of two arrays, == would give an array."""
        if not isinstance(other, Trace):
            return NotImplemented
        return list(self.rows()) == list(other.rows())

    __hash__ = None  # type: ignore[assignment]  # arrays can change, and have none either

    @classmethod
    def from_points(cls, points: list[tuple[float, ...]]) -> Self:
        """Build a trace from ``(t_s, cpu_w, gpu_w, ram_w, energy_kwh)`` rows."""
        columns = np.array(points, dtype=np.float64).reshape(-1, 5).T
        return cls(*columns)

    def merged(self, ends: npt.NDArray[np.intp]) -> Self:
        """Keep some of the points: each then stands for all the time since the one kept before it.

        Power times time still sums to the energy, of each component too; so does a part of the
        trace that ends in a point that is kept.

        Args:
            ends: Which points, as increasing indices, an ndarray in the shape of (n_kept,).
        """
        if not len(ends):
            return type(self).from_points([])
        begins = np.concatenate([[0], ends[:-1] + 1])
        until = ends[-1] + 1
        spans_s = np.diff(self.t_s, prepend=0.0)[:until]
        whole_s = np.add.reduceat(spans_s, begins)
        cpu_w, gpu_w, ram_w = (
            np.add.reduceat(power_w[:until] * spans_s, begins) / whole_s
            for power_w in (self.cpu_w, self.gpu_w, self.ram_w)
        )
        return type(self)(self.t_s[ends], cpu_w, gpu_w, ram_w, self.energy_kwh[ends])

    def thinned(self, max_points: int) -> Self:
        """Give a trace of fewer points, evenly over its time, that has the same energy.

        Args:
            max_points: The most points; a trace that has no more is given as it is.
        """
        if len(self) <= max_points:
            return self
        pieces = np.ceil(self.t_s / self.t_s[-1] * max_points).clip(1, max_points)
        return self.merged(np.flatnonzero(np.diff(pieces, append=max_points + 1)))

    def rows(self) -> Iterator[tuple[float, float, float, float, float]]:
        """Go through the points as ``(t_s, cpu_w, gpu_w, ram_w, energy_kwh)``."""
        columns = (self.t_s, self.cpu_w, self.gpu_w, self.ram_w, self.energy_kwh)
        return zip(*(column.tolist() for column in columns), strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a trial cost, and how far the figures can be trusted.

    Attributes:
        energy: The trial's part of what the machine used, per component, in kWh, without PUE.
        duration_s: Wall-clock time in s.
        grid: The carbon intensity and PUE that turn the energy into CO2e.
        sources: Where each component's energy comes from.
        host: The name of the machine that was measured.
        fingerprint: What hardware that is, as a short hash; the same on two machines alike.
        shared: Whether other trials ran beside this one, in the same process, or in others that
            read the same counter: what they used together was then shared out among them.
        runs: How often the trial's function ran; the energy and the duration are those of all.
        trace: Power and energy over time; empty once read back from a study.
    """

    energy: ComponentEnergy
    duration_s: float
    grid: Grid
    sources: Mapping[str, Source]
    host: str
    fingerprint: str = ""
    shared: bool = False
    runs: int = 1
    trace: Trace = field(default_factory=lambda: Trace.from_points([]))

    @property
    def energy_kwh(self) -> float:
        """Energy of all components, in kWh."""
        return self.energy.total_kwh

    @property
    def co2e_kg(self) -> float:
        """CO2e in kg: energy times PUE times carbon intensity (Douwes et al. 2021, eq. 4, 6)."""
        return self.grid.co2e_kg(self.energy_kwh)

    @property
    def energy_per_run_kwh(self) -> float:
        """Mean energy of a run, all components, in kWh."""
        return self.energy_kwh / self.runs

    @property
    def co2e_per_run_kg(self) -> float:
        """Mean CO2e of a run, in kg."""
        return self.co2e_kg / self.runs

    @property
    def duration_per_run_s(self) -> float:
        """Mean wall-clock time of a run, in s."""
        return self.duration_s / self.runs

    @property
    def mean_power_w(self) -> float:
        """Mean power of all components over the trial, in W."""
        return joules_from_kwh(self.energy_kwh) / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def resolution_s(self) -> float:
        """How long the slowest of the sources takes to give a new figure, in s.

        A trial that lasts no longer is measured as well as can be, and roughly.
        """
        return max((source.resolution_s for source in self.sources.values()), default=0.0)

    @property
    def basis(self) -> Basis:
        """Whether the energy was measured by hardware, estimated by a model, or partly each."""
        return basis_of(self.sources)

    def __str__(self) -> str:
        """Say in a sentence or two what was measured, and how."""
        costs = costs_in_words(self.energy_kwh, self.co2e_kg, self.duration_s)
        runs = "" if self.runs == 1 else f" over {self.runs} runs"
        sources = "; ".join(f"{name}: {one.name}" for name, one in self.sources.items())
        return (
            f"{costs['energy']} and {costs['CO2e']} of CO2e in {costs['duration']}{runs}, "
            f"{costs['mean power']} in the mean; energy is {self.basis} ({sources or NOT_KNOWN})."
            f"{self._beside}"
        )

    @property
    def _beside(self) -> str:
        if not self.shared:
            return ""
        return " Other trials ran beside it, and what they used together is shared out among them."

    def _repr_html_(self) -> str:
        """Show it in a notebook; without the host's name, since notebooks are passed on."""
        grid, trace = self.grid, self.trace
        rows = [*costs_in_words(self.energy_kwh, self.co2e_kg, self.duration_s).items()]
        if self.runs > 1:
            each = costs_in_words(
                self.energy_per_run_kwh, self.co2e_per_run_kg, self.duration_per_run_s
            )
            rows.append((f"each of {self.runs} runs", ", ".join([*each.values()][:3])))
        rows.append(("energy is", self.basis))
        for name, energy_kwh in self.energy.to_dict().items():
            source = self.sources.get(name)
            if source is not None or energy_kwh != 0:
                origin = NOT_KNOWN if source is None else source.name
                rows.append((name, f"{in_words(energy_kwh, format_energy(energy_kwh))} ({origin})"))
        intensity = f"{grid.carbon_intensity_g_per_kwh:.4g} g/kWh ({grid.source})"
        rows += [("carbon intensity", intensity), ("PUE", f"{grid.pue:g}")]
        power_w = {"cpu": trace.cpu_w, "gpu": trace.gpu_w, "ram": trace.ram_w}
        picture = power_picture(
            trace.t_s.tolist(), {name: values.tolist() for name, values in power_w.items()}
        )
        return html_output(
            html_heading("What it took"),
            html_beside(html_table(rows, most=120), picture),
            html_paragraph(self._beside),
        )

    _repr_pretty_ = pretty


def basis_of(sources: Mapping[str, Source]) -> Basis:
    """Tell what a result rests on, from the sources of its components."""
    measured = {source.measured for source in sources.values()}
    if measured == {True}:
        return "measured"
    return "mixed" if True in measured else "estimated"
