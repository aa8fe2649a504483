"""URLs as they may be shown: without their passwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#]*)")
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s'\"<>`]+")

_SECRET_WORD = r"(?:pass|pwd|secret|token|key|credential|signature)"
_SECRET_KEY = re.compile(rf"{_SECRET_WORD}|^sig$", re.IGNORECASE)
# A value may be a connection string of its own, as in odbc_connect=...;PWD=...
_SECRET_WITHIN = re.compile(rf"{_SECRET_WORD}\w*\s*=", re.IGNORECASE)


def shown_url(url: str) -> str:
    """Give a URL with its password, and query values that look secret, replaced by ``***``.

    What is shown does not depend on them: two URLs that differ in their secrets alone are shown
    alike. Where http has a user without a password, that is most likely a token, and hidden.

    Args:
        url: The URL of a storage or a tracking server, or a plain path.
    """
    for start, end in reversed(_secret_spans(url)):
        url = url[:start] + MASK + url[end:]
    return url


def secrets_of(url: str) -> tuple[str, ...]:
    """Give the parts of a URL that must not be shown, as they stand in it and decoded."""
    raw = [url[start:end] for start, end in _secret_spans(url)]
    forms = {form for part in raw for form in (part, unquote(part), unquote_plus(part))}
    # The longest first: one may be a part of another.
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret in a text, such as an error message, by ``***``.

    Args:
        text: The text.
        secrets: From :func:`secrets_of`, the longest first.
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def shown_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Give a text with the secrets of every URL in it hidden, and some that are known besides.

    Args:
        text: The text, such as an error message of another library.
        secrets: Further strings that must not be shown.
    """
    return _URL_IN_TEXT.sub(lambda found: shown_url(found[0]), hide_secrets(text, secrets))


def _secret_spans(url: str) -> list[tuple[int, int]]:
    """Find what must not be shown, as (start, end) in the URL, in order."""
    spans = []
    authority = _AUTHORITY.match(url)
    rest = 0
    if authority:
        start, end = _password_span(url, authority)
        rest = max(authority.end(), end)
        spans.append((start, end))
    query = re.compile(r"[?#]").search(url, rest)
    if query:
        at = query.end()
        for pair in url[at:].split("&"):
            key, _, value = pair.partition("=")
            if _SECRET_KEY.search(unquote(key)) or _SECRET_WITHIN.search(unquote(value)):
                spans.append((at + len(key) + 1, at + len(pair)))
            at += len(pair) + 1
    return [(start, end) for start, end in spans if start < end]


def _password_span(url: str, authority: re.Match[str]) -> tuple[int, int]:
    """Find the password; an empty span where there is none."""
    start, end = authority.span("authority")
    is_web = authority["scheme"].lower() in ("http", "https")
    userinfo_end = url.rfind("@", start, end)
    if userinfo_end < 0:
        # A password may hold what ends an authority (/ ? #): SQLAlchemy takes it, and others
        # then repeat it in what they say of the port.
        _, colon, port = authority["authority"].partition(":")
        port_is_sound = is_web and (not port or port.isdigit())
        if not colon or port_is_sound or authority["authority"].startswith("["):
            return start, start
        userinfo_end = url.rfind("@", end)
    colon_at = url.find(":", start, userinfo_end) if userinfo_end >= 0 else -1
    if colon_at >= 0:
        return colon_at + 1, userinfo_end
    return (start, userinfo_end) if is_web and userinfo_end > start else (start, start)
