"""How a run is opened in Weights & Biases, so that no trial waits long and little is printed.

W&B's global run and its module's functions are left to the user: a run here is an object of its
own, and the only way to it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from green_optuna.errors import TrackerError
from green_optuna.locks import ProcessLock
from green_optuna.tracking.wandb.schema import AXES
from green_optuna.urls import hide_secrets, shown_text, shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from green_optuna.tracking.wandb.place import Place

ANSWER_TIMEOUT_S = 4.0

# A server that takes a connection may still say nothing. W&B waits for 90 s, and each trial would.
INIT_TIMEOUT_S = 10.0

# What is not sent by then is on disk, and W&B would otherwise wait for ever.
FINISH_TIMEOUT_S = 30.0

_REPORTS_VARIABLE = "WANDB_ERROR_REPORTING"

_starting = ProcessLock()


def global_settings() -> Any:  # noqa: ANN401 - W&B's settings
    """Give W&B's settings of this process: its files, and its environment when they were read."""
    from wandb.sdk import wandb_setup

    try:
        return wandb_setup.singleton().settings
    except Exception as error:
        # A variable that it cannot read; the message shows its value.
        raise TrackerError(
            f"W&B cannot read its settings: {shown_text(str(error))}. Mend the WANDB_... variable "
            "or the file that is named."
        ) from error


def find_key(base_url: str) -> tuple[str, ...]:
    """Find who logs in to a server, as W&B does, without asking anybody.

    Returns:
        The API key, or nothing where an identity token is used.

    Raises:
        TrackerError: Nobody is logged in.
    """
    from wandb.errors import AuthenticationError
    from wandb.sdk.lib import wbauth

    try:
        auth = wbauth.authenticate_session(host=base_url, source="green_optuna", prompt=False)
    except AuthenticationError as error:
        raise TrackerError(f"W&B cannot log in: {error} {_LOG_IN}") from error
    if auth is None:
        raise TrackerError(f"W&B has no API key for {shown_url(base_url)}. {_LOG_IN}")
    key = getattr(auth, "api_key", None)
    return () if key is None else (key,)


_LOG_IN = (
    'Log in with `wandb login`, set WANDB_API_KEY, or pass WandbTracker(mode="offline") and '
    "send the runs later with `wandb sync`."
)


def check_server(settings: Any) -> None:  # noqa: ANN401 - W&B's settings
    """Hold that somebody answers at a server's address.

    W&B would find out as well, and then refuse the run's id for as long as the process lives.

    Args:
        settings: W&B's, with the address.

    Raises:
        TrackerError: Nobody does, or a gateway says that the server is away.
    """
    if settings.http_proxy or settings.https_proxy:
        # W&B's own proxy knows more than we do.
        return
    try:
        urllib.request.urlopen(settings.base_url, timeout=ANSWER_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()
        # No page need be at this address, but whoever answers at all is there.
        if error.code >= 500:
            raise away(settings.base_url, error) from error
    except urllib.error.URLError as error:
        # W&B may have been told to trust whom we do not.
        if not isinstance(error.reason, ssl.SSLError):
            raise away(settings.base_url, error.reason) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise away(settings.base_url, error) from error


def away(base_url: str, reason: object, secrets: Iterable[str] = ()) -> TrackerError:
    """Make the error that says that a server cannot be used now."""
    return TrackerError(
        f"W&B at {shown_url(base_url)} does not take runs "
        f"({hide_secrets(shown_text(str(reason)), secrets)}). Check the network and "
        'WANDB_BASE_URL, or pass WandbTracker(mode="offline") and send the runs later with '
        "`wandb sync`."
    )


def open_run(place: Place, entity: str | None, **said: Any) -> Any:  # noqa: ANN401 - a wandb.Run
    """Open a run of its own, beside whatever runs the user has.

    Args:
        place: Where it goes.
        entity: Whose project it is; None for W&B's default.
        said: ``id``, ``name``, ``group``, ``job_type`` and ``config``, as ``wandb.init`` has them.

    Raises:
        TrackerError: W&B does not open it.
    """
    import wandb
    from wandb.sdk import wandb_setup
    from wandb.sdk.mailbox.mailbox_handle import ServerResponseError

    settings = global_settings()
    if settings.sweep_id:
        raise TrackerError(
            "W&B names the runs of a sweep itself, and a study's trials would be one run: leave "
            "WandbTracker out in a sweep, or unset WANDB_SWEEP_ID."
        )
    _start_service(silent=place.mode == "offline")
    try:
        run = wandb.init(
            project=place.project,
            entity=entity,
            dir=str(place.folder),
            mode=place.mode,  # type: ignore[arg-type]
            reinit="create_new",
            settings=_run_settings(),
            **said,
        )
    except (wandb.Error, ServerResponseError, TimeoutError) as error:
        raise away(settings.base_url, error, filter(None, [settings.api_key])) from error
    # wandb.init() in the user's function would give this run, or finish it.
    wandb_setup.singleton().remove_active_run(run)
    for axis in sorted({*AXES.values()}):
        run.define_metric(axis, hidden=True, summary="none")
    for keys, axis in AXES.items():
        # What it all came to is in the summary, and the last power would only be beside it.
        run.define_metric(keys, step_metric=axis, summary="none")
    return run


def _run_settings() -> Any:  # noqa: ANN401 - W&B's settings
    """Give settings with which W&B logs what it is told, prints nothing and measures nothing."""
    import wandb

    return wandb.Settings(
        silent=True,
        quiet=True,
        console="off",
        # A run of the user's own that is to be resumed is not one of these.
        resume=None,
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        label_disable=True,
        symlink=False,
        sync_tensorboard=False,
        # Its own thread of metrics would be measured, and energy is measured here.
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        init_timeout=INIT_TIMEOUT_S,
        finish_timeout=FINISH_TIMEOUT_S,
        finish_timeout_raises=True,
    )


def _start_service(*, silent: bool) -> None:
    """Start W&B's service process for this process, unless it has one.

    W&B would share that of a parent process. It ends with the parent though, and holds the runs of
    a killed child for ever, so that nobody could log how they ended.

    Args:
        silent: Whether W&B shall send no reports of its own use and errors. It would, from this
            process and from its service, though all runs are offline; only the environment can
            tell it not to, and is asked once for each of the two.
    """
    from wandb.analytics import get_telemetry_recorder
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib.service import service_token

    with _starting:
        session = wandb_setup.singleton()
        if session._connection is not None:
            return
        # Before the variable is set: W&B warns where it has changed since it read its settings.
        _ = session.settings
        service_token.clear_service_in_env()
        with _set_for_now(_REPORTS_VARIABLE, "false") if silent else contextlib.nullcontext():
            if silent:
                # It keeps what it has found in the environment.
                get_telemetry_recorder()
            connection = session.ensure_service()
        forget_at_exit = connection._cleanup
        if forget_at_exit is not None and hasattr(os, "register_at_fork"):
            # To end the service is for the process that started it: in a child of os.fork, W&B's
            # own attempt fails as it exits, and shows a traceback.
            os.register_at_fork(after_in_child=forget_at_exit)


@contextlib.contextmanager
def _set_for_now(variable: str, value: str) -> Iterator[None]:
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
