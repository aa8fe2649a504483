"""No password on a terminal, in whatever text it stands: an error of a driver, a traceback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from green_optuna.urls import secrets_of, shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VARIABLES = ("GREEN_OPTUNA_STORAGE", "MLFLOW_TRACKING_URI")


def without_secrets(text: str, arguments: Iterable[str]) -> str:
    """Hide the secrets in a text: those of the URLs in it, and those that the user passed.

    Args:
        text: What is to be shown.
        arguments: The words of the command line. The secrets of the URLs among them, and of
            those in the environment, are hidden wherever they stand.
    """
    found = {secret for url in _urls(arguments) for secret in secrets_of(url)}
    # The longest first: one may be a part of another.
    return shown_text(text, sorted(found, key=lambda secret: (-len(secret), secret)))


def _urls(arguments: Iterable[str]) -> Iterator[str]:
    yield from (os.environ.get(name, "") for name in _VARIABLES)
    for argument in arguments:
        yield argument
        yield argument.partition("=")[2].strip("'\"")
