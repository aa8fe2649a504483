"""The Weights & Biases tracker: one run a trial, in the group of its study; one run a measurement.

Trials run side by side, and each has a run object of its own: W&B's global run, and the functions
of its module, are the user's.
"""

from __future__ import annotations

import logging
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from green_optuna.errors import TrackerError
from green_optuna.locks import ProcessLock
from green_optuna.tracking import series
from green_optuna.tracking.service import ServiceTracker
from green_optuna.tracking.wandb import place as places
from green_optuna.tracking.wandb import schema, service
from green_optuna.tracking.wandb.runs import OpenRun, Process, log_front
from green_optuna.urls import shown_url

if TYPE_CHECKING:
    from green_optuna.front import ParetoFront
    from green_optuna.record import TrialRecord
    from green_optuna.terms import StudyTerms
    from green_optuna.tracking.wandb.place import Place

_logger = logging.getLogger("green_optuna")


class WandbTracker(ServiceTracker):
    """Logs each trial to Weights & Biases: config, objectives, costs, reports and energy trace.

    Each process that logs a study's front has a run of its own for it, named ``study: NAME``:
    W&B takes one writer a run, and offline runs cannot be resumed.

    Args:
        project: The project; that of ``WANDB_PROJECT`` unless given, else ``green_optuna``.
        entity: The user or team whose project it is; W&B's default unless given.
        mode: "online", or "offline" to keep the runs on this machine until they are sent with
            :attr:`sync_command`; what ``WANDB_MODE`` or ``wandb offline`` says unless given, else
            "online".
        folder: Where W&B makes its folder, ``wandb``: ``WANDB_DIR`` unless given, else the
            working folder.
        flush_interval_s: How often to log a trial that is still running, in s; ``math.inf`` for
            never. What that takes is part of the trial's measurement.
        name: Names the tracker in ``TrialRecord.run_ids``; a second one in a study wants
            another name.

    Raises:
        MissingPackageError: W&B is not installed.
        OptionError: An option cannot be used.
    """

    _of_a_process = frozenset({"_lock", "_own"})

    def __init__(
        self,
        project: str | None = None,
        *,
        entity: str | None = None,
        mode: str | None = None,
        folder: str | Path | None = None,
        flush_interval_s: float = 30.0,
        name: str = "wandb",
    ) -> None:
        if project is not None:
            places.check_project(project)
        places.check_mode(mode)
        places.check_installed()
        self.project = project
        self.entity = entity
        self.mode = mode
        # Whatever folder the process changes to.
        self.folder = None if folder is None else str(Path(folder).absolute())
        super().__init__(name=name, flush_interval_s=flush_interval_s)

    def _start_afresh(self) -> None:
        """Set up what belongs to a process: it connects when it is first used."""
        self._lock = ProcessLock()
        self._own = Process()

    def __repr__(self) -> str:
        """Show the options."""
        options = {"project": self.project, "entity": self.entity, "mode": self.mode}
        given = (f"{name}={value!r}" for name, value in options.items() if value is not None)
        return f"WandbTracker({', '.join(given)})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The API key, if one is known."""
        keys = {*self._own.secrets, os.environ.get("WANDB_API_KEY") or ""} - {""}
        return tuple(sorted(keys, key=lambda key: (-len(key), key)))

    def spooled_options(self) -> dict[str, str | None]:
        """Give what makes the tracker again in any process: where it logs, no API key.

        With them goes the server's address, of which no option is made: where runs are sent.

        Raises:
            TrackerError: The environment says what cannot be used.
        """
        place = self._place()
        return {
            "project": place.project,
            "entity": self.entity,
            "mode": place.mode,
            "folder": str(place.folder),
            "server": self.server(),
        }

    def server(self) -> str | None:
        """Give the address of the server that runs are sent to, no password; None where offline."""
        if self._place().mode != "online":
            return None
        return shown_url(str(service.global_settings().base_url))

    @property
    def sync_command(self) -> str | None:
        """The command that sends all offline runs of this process's studies, from any folder.

        None where this process has made none. Those of a study that other processes have made in
        the same folder are sent with them.
        """
        own = self._process()
        if own.runs_folder is None or not own.digests:
            return None
        return places.sync_command(own.runs_folder, own.digests)

    def study_link(self, study_name: str, terms: StudyTerms) -> str | None:
        """Say how a study is opened: its group's page, or the command that sends it there.

        None for the page until this process has opened a run.
        """
        place = self._place()
        if place.mode == "offline":
            command = places.sync_command(place.runs_folder, [schema.study_digest(terms.key)])
            return f"kept on this machine; to send it, {command}"
        page = self._process().project_page
        group = quote(schema.group_of(study_name, terms.key), safe="")
        return f"{page}/groups/{group}" if page else None

    def start_trial(self, trial: TrialRecord) -> str | None:
        """Open the trial's run in the group of its study; a measurement's stands alone.

        Raises:
            TrackerError: W&B cannot be used.
        """
        in_study = trial.kind == "trial"
        key = trial.terms.key
        run = self._opened(
            key,
            id=schema.run_id(trial),
            name=series.shorten(series.run_name(trial), schema.MAX_NAME),
            group=schema.group_of(trial.study_name, key) if in_study else None,
            job_type=trial.kind,
            config=schema.start_config(trial),
        )
        if run is None:
            return None
        self._process().open_runs[run.id] = OpenRun(run)
        return str(run.id)

    def log_progress(self, trial: TrialRecord) -> None:
        """Log what has been added to the trace, the reports and the parameters."""
        open_run = self._process().open_runs.get(trial.run_ids.get(self.name, ""))
        if open_run is not None:
            open_run.log(trial)

    def finish_trial(self, trial: TrialRecord) -> None:
        """Log the rest and end the run; the whole of it where the run is not open here.

        A run of the same id that was there before, such as that of a killed process, is replaced.

        Raises:
            TrackerError: W&B cannot be used, or did not take all in time.
        """
        open_runs = self._process().open_runs
        run_id = trial.run_ids.get(self.name)
        if run_id not in open_runs:
            run_id = self.start_trial(trial)
        open_run = None if run_id is None else open_runs.pop(run_id)
        if open_run is None:
            return
        try:
            open_run.log(trial)
            open_run.conclude(trial)
        finally:
            self._finish(open_run.run, failed=trial.state in ("failed", "killed"))

    def log_front(self, front: ParetoFront) -> None:
        """Log the front to this process's run of the study: a note, a table, a plot and JSON.

        Raises:
            TrackerError: No green_optuna objective has run in the study, or W&B cannot be used.
        """
        key = front.candidates.study_key
        if key is None:
            raise TrackerError(
                f"The study {front.study_name!r} has no runs in W&B: no green_optuna objective has "
                "run in it."
            )
        own = self._process()
        with own.fronts:
            if key not in own.study_runs:
                run = self._opened(
                    key,
                    id=f"{schema.study_digest(key)}-study-{uuid.uuid4().hex[:8]}",
                    name=series.shorten(f"study: {front.study_name}", schema.MAX_NAME),
                    group=schema.group_of(front.study_name, key),
                    job_type="study",
                    config=schema.study_config(front, key),
                )
                if run is None:
                    return
                own.study_runs[key] = run
            log_front(own.study_runs[key], front)

    def end_study(self, study_name: str, terms: StudyTerms) -> None:
        """End this process's run of the study, and say how its offline runs are sent."""
        own = self._process()
        with own.fronts:
            run = own.study_runs.pop(terms.key, None)
        try:
            if run is not None:
                self._finish(run)
        finally:
            digest = schema.study_digest(terms.key)
            if digest in own.digests and own.runs_folder is not None:
                _logger.warning(
                    "The W&B runs of study %r are on this machine only. To send them: %s",
                    study_name,
                    places.sync_command(own.runs_folder, [digest]),
                )

    def _opened(self, study_key: str, **said: Any) -> Any | None:  # noqa: ANN401 - a wandb.Run
        """Open a run; give None where W&B has been switched off."""
        place = self._place()
        if place.mode == "disabled":
            return None
        place.make_folder()
        own = self._process()
        if place.mode == "online":
            run = self._opened_online(own, place, **said)
            own.project_page = run.settings.project_url
        else:
            run = service.open_run(place, self.entity, **said)
            own.digests[schema.study_digest(study_key)] = None
        own.runs_folder = Path(run.settings.sync_dir).parent
        return run

    def _opened_online(self, own: Process, place: Place, **said: Any) -> Any:  # noqa: ANN401
        own.patience.check()
        settings = service.global_settings()
        own.secrets = service.find_key(settings.base_url)
        with own.patience.watching():
            service.check_server(settings)
            return service.open_run(place, self.entity, **said)

    def _finish(self, run: Any, *, failed: bool = False) -> None:  # noqa: ANN401 - a wandb.Run
        own = self._process()
        try:
            with own.patience.watching():
                run.finish(exit_code=1 if failed else 0)
        except TimeoutError as error:
            raise TrackerError(
                f"W&B did not take all of run {run.id} in {service.FINISH_TIMEOUT_S:g} s. The rest "
                "is on this machine; to send it: "
                + places.sync_command(Path(run.settings.sync_dir))
            ) from error

    def _place(self) -> Place:
        """Give where runs go: found once, so that no change of folder moves a study.

        Raises:
            TrackerError: The environment says what cannot be used.
        """
        own = self._process()
        if own.place is None:
            own.place = places.find_place(
                self.project, self.mode, self.folder, settings=service.global_settings
            )
        return own.place

    def _process(self) -> Process:
        """Give what this process knows; a forked child begins anew, where its parent logs."""
        with self._lock:
            if self._own.pid != os.getpid():
                # Its runs are the parent's, and so is the connection that they would use.
                self._own = Process(place=self._own.place)
            return self._own
