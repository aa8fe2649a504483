"""Measuring without a study: a ``with`` block, or each call of a function."""

from __future__ import annotations

import contextlib
import functools
import inspect
import operator
import sys
import threading
import types
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from green_optuna.carbon import Grid, stated_grid
from green_optuna.energy import Measurement, Meter, MeterOptions
from green_optuna.errors import MeterError, OptionError
from green_optuna.measured import MeasuredRun, MeasureOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from green_optuna.tracking import StudyLog, Tracker

P = ParamSpec("P")
R = TypeVar("R")

# A trace of an hour takes 150 kB, and a function may be called for days.
KEPT_RESULTS = 100


class Measuring:
    """What :func:`measure` gives: a context manager, and a decorator.

    As a context manager it can be used again and again, for one block at a time.
    """

    def __init__(self, options: MeasureOptions) -> None:
        self.options = options
        self._logs: dict[int, StudyLog] = {}
        self._in_use = threading.Lock()
        self._context: contextlib.AbstractContextManager[MeasuredRun] | None = None

    def __enter__(self) -> MeasuredRun:
        """Begin to measure.

        Raises:
            GridError: Nobody said where the electricity comes from.
            MeterError: This host cannot be measured.
            OptionError: Two trackers have one name; another meter counts the same energy now; or
                a block is already being measured with this object.
        """
        if not self._in_use.acquire(blocking=False):
            raise OptionError(
                "This object measures another block just now: call green_optuna.measure(...) "
                "for each block that runs inside or beside another."
            )
        try:
            self._context = MeasuredRun(self.options, self._logs).measuring()
            return self._context.__enter__()
        except BaseException:
            self._in_use.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        """End the measurement; an exception of the block passes through."""
        context, self._context = self._context, None
        try:
            if context is not None:
                context.__exit__(kind, error, trace)
        finally:
            self._in_use.release()

    def __call__(self, function: Callable[P, R]) -> MeasuredFunction[P, R]:
        """Decorate a function.

        Raises:
            OptionError: It is no function, or one whose call only begins its work.
        """
        return _decorate(function, self.options)


class MeasuredFunction(Generic[P, R]):
    """A function each of whose calls is measured; it returns what the function returns.

    Made by :func:`measure`. Calls may run side by side in threads, or inside one another; each
    has a measurement of its own. What a process keeps of them stays in that process.

    Attributes:
        function: The user's function.
        options: How its calls are measured.
    """

    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], options: MeasureOptions) -> None:
        # First, for it also copies the function's attributes, whatever they are called.
        functools.update_wrapper(self, function)
        self.function = function
        self.options = options
        self._logs: dict[int, StudyLog] = {}
        self._ended: deque[MeasuredRun] = deque(maxlen=KEPT_RESULTS)

    def __repr__(self) -> str:
        """Name the function."""
        return f"<measured function {self.options.name!r}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, measured; what it raises comes out as it is.

        Raises:
            GridError: Nobody said where the electricity comes from.
            MeterError: This host cannot be measured. Where only the end of a call could not be,
                the call's result is lost, and what the function returned is not.
        """
        run = MeasuredRun(self.options, self._logs)
        try:
            with run.measuring():
                return self.function(*args, **kwargs)
        finally:
            if run.ended:
                self._ended.append(run)

    @property
    def result(self) -> Measurement:
        """What the call cost that was the latest to end, in whichever thread.

        Raises:
            MeterError: No call has ended in this process, or that one could not be measured.
        """
        if not self._ended:
            raise MeterError(f"{self!r} has no result: no call of it has ended in this process.")
        return self._ended[-1].result

    @property
    def results(self) -> tuple[Measurement, ...]:
        """What the latest 100 calls cost, the latest to end last; without what has no result."""
        found = []
        for run in tuple(self._ended):
            with contextlib.suppress(MeterError):
                found.append(run.result)
        return tuple(found)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., R]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Self | Callable[..., R]:
        """Bind to an instance, as functions do: a method can be decorated."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name where that leads back here, as functions do."""
        module = sys.modules.get(self.function.__module__ or "")
        name = getattr(self.function, "__qualname__", "")
        with contextlib.suppress(AttributeError):
            if operator.attrgetter(name)(module) is self:
                return name
        return type(self), (self.function, self.options)


@overload
def measure(function: Callable[P, R], /) -> MeasuredFunction[P, R]: ...
@overload
def measure(
    *,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
    trackers: Sequence[Tracker] = (),
    name: str | None = None,
) -> Measuring: ...
def measure(
    function: Callable[P, R] | None = None,
    /,
    *,
    country: str | None = None,
    grid: Grid | None = None,
    meter: MeterOptions | Meter | None = None,
    trackers: Sequence[Tracker] = (),
    name: str | None = None,
) -> MeasuredFunction[P, R] | Measuring:
    """Measure a block of code, or each call of a function, without a study.

    A block gives a run, whose ``result`` is there when it has ended, also with an exception, and
    whose ``so_far`` is there meanwhile. A decorated function has the ``result`` of its latest
    call and the ``results`` of the latest 100.

    Measurements, and trials, that run in one process at the same time share what it uses, and
    each says that it was ``shared``. Side by side in threads, each is charged what its own thread
    is known to use, and an even part of the rest. One inside another cannot be told from it: a
    measurement inside an objective takes half of what the trial would be charged; inside another
    measurement, half of that one's.

    Coroutine functions and generators cannot be decorated, since a call of theirs only begins
    their work: put a ``with`` block inside.

    Args:
        function: The function, where the decorator stands bare: ``@measure``.
        country: Where the electricity comes from, as an ISO 3166 code ("FRA"): short for
            ``grid=Grid(country=...)``. Without either, the environment variables
            ``GREEN_OPTUNA_COUNTRY`` or ``GREEN_OPTUNA_CARBON_INTENSITY_G_PER_KWH`` say.
        grid: The carbon intensity in g/kWh, with its source, and the PUE.
        meter: How CodeCarbon measures, or a meter of your own.
        trackers: Who is told, of each measurement as of a trial; nobody unless given, for it is
            the caller who holds the result.
        name: What it is called in the trackers: "measurement" unless given, or the qualified name
            of a function that is decorated.

    Returns:
        A context manager that is a decorator too; or the decorated function.

    Raises:
        OptionError: An option cannot be used.
        GridError: The place is unknown, or the intensity or the PUE impossible.

    Example:
        ::

            with measure(country="FRA") as run:
                evaluate(model)
            print(run.result.energy_kwh, run.result.co2e_kg, run.result.basis)
    """
    given: object = name
    if given is not None and not (isinstance(given, str) and given.strip()):
        raise OptionError(f"name is {name!r}: give a text that is not empty, or leave it out.")
    options = MeasureOptions(
        grid=stated_grid(country=country, grid=grid),
        meter=MeterOptions() if meter is None else meter,
        trackers=tuple(trackers),
        name=name,
    )
    if function is None:
        return Measuring(options)
    return _decorate(function, options)


def _decorate(function: Callable[P, R], options: MeasureOptions) -> MeasuredFunction[P, R]:
    """Decorate a function; it gives its name unless the user gave one.

    Raises:
        OptionError: It is no function, or one whose call only begins its work.
    """
    given: object = function
    if not callable(given) or isinstance(given, type):
        raise OptionError(
            f"measure decorates a function, not {function!r}: pass its options by name, as in "
            'measure(country="FRA"), and put it below @classmethod or @staticmethod.'
        )
    for one in (function, type(function).__call__):
        if (
            inspect.iscoroutinefunction(one)
            or inspect.isgeneratorfunction(one)
            or inspect.isasyncgenfunction(one)
        ):
            raise OptionError(
                f"measure cannot decorate {function!r}, whose call only begins its work: use "
                "`with green_optuna.measure(...)` inside it."
            )
    own_name = getattr(function, "__qualname__", type(function).__qualname__)
    return MeasuredFunction(function, replace(options, name=options.name or own_name))
