"""The one thing a meter must do: say how much energy the machine has used so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from green_optuna.energy.charge import Charge
    from green_optuna.energy.measurement import ComponentEnergy, Source


class Meter(Protocol):
    """A cumulative energy counter; trials are differences between its readings.

    A meter is used by one thread at a time (a :class:`~green_optuna.energy.Sampler` holds a
    lock round every call) and by one process only.
    """

    @property
    def min_interval_s(self) -> float:
        """Readings closer together than this, in s, would repeat the one before."""

    @property
    def sample_interval_s(self) -> float:
        """How often to read while a trial runs, in s."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where the energy of each component ("cpu", "gpu", "ram") comes from, once started."""

    def start(self) -> None:
        """Find the hardware and begin to count; what that costs is charged to no trial.

        Raises:
            MeterError: Nothing can be measured or estimated on this host.
        """

    def read(self) -> ComponentEnergy:
        """Give the energy used since :meth:`start`, in kWh per component, never decreasing.

        Raises:
            MeterError: No reading could be had.
        """

    def stop(self) -> None:
        """End counting and release what was held; harmless when repeated."""


@runtime_checkable
class SharedMeter(Meter, Protocol):
    """A meter of a machine whose energy several processes share out among them.

    Its readings are this process's part, which depends on when its trials run.
    """

    def set_running(self, running: int) -> None:
        """Learn how many trials of this process run from now on."""

    def read_charge(self) -> Charge:
        """Give this process's part since :meth:`start`, no component of it ever decreasing.

        Raises:
            MeterError: No reading could be had.
        """
