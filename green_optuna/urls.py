"""URLs as they may be shown: without their passwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

LEAST_PIECE = 3
"""The length from which a piece of a password is hidden where it stands alone."""

# Any of these may begin a scheme here: what is taken for one too many is hidden too many.
_IN_SCHEME = r"[A-Za-z0-9+.\-]"
# A key may stand before it, as in study.storage=postgresql://...
_KEY = r"(?:[\w.+~\-]+=['\"]?)?"
_AUTHORITY = re.compile(rf"{_KEY}(?P<scheme>{_IN_SCHEME}+)://(?P<authority>[^/?#]*)")
# Colons that are no user's, whatever @ follows: C:\Users, journal:study.log, sqlite:///a.db.
_PATH = re.compile(rf"{_KEY}(?:[A-Za-z]:[\\/](?!/)|(?:journal|file):(?!//[^/])|sqlite[^:/@]*:///)")

_WORD = re.compile(r"[^\s'\"<>`]+")
_URL_IN_WORD = re.compile(rf"(?<!{_IN_SCHEME}){_IN_SCHEME}++://")
# Where part of :// is missing, a password and an @ follow. Where all of it is, there is a user
# before the password, and a path or a port after the host: an e-mail address has none of them.
_WRONG_URL_IN_WORD = re.compile(
    rf"(?<!{_IN_SCHEME}){_IN_SCHEME}++(?::/|//)(?=[^@]*:[^@]*@)"
    r"|(?<![^(\[{=,;])(?!mailto:)[\w.+\-]++:(?=[^@]+@.*(?:/\w|:\d+\b))"
)

_SECRET_WORD = r"(?:pass|pwd|secret|token(?!iz)|key(?!word)|credential|signature)"
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
    # A driver may end a password at its first @, and repeat the rest as a host or a database. To
    # hide a piece of one or two letters would show where they stand.
    pieces = [piece for part in raw if "@" in part for piece in re.split(r"[@:/]", part)]
    raw += [piece for piece in pieces if len(piece) >= LEAST_PIECE]
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
    return _WORD.sub(lambda found: _shown_word(found[0]), hide_secrets(text, secrets))


def shown_data(plain: Any) -> Any:  # noqa: ANN401 - whatever JSON knows
    """Give plain data with the secrets of all URLs in its texts and its names hidden.

    A URL has ``://`` here. What might be meant for one, as :func:`shown_text` takes it in what
    others say, may be anything in data: ``resnet50:in1k@224/fp16`` is a model's name.
    """
    if isinstance(plain, str):
        if "://" not in plain:
            return plain
        return _WORD.sub(lambda found: _shown_word(found[0], guess=False), plain)
    if isinstance(plain, list):
        return [shown_data(one) for one in plain]
    if isinstance(plain, dict):
        return {shown_data(name): shown_data(one) for name, one in plain.items()}
    return plain


def _shown_word(word: str, *, guess: bool = True) -> str:
    """Give a word of a text with the secrets of the URL in it hidden, if there is one.

    Args:
        word: The word.
        guess: Whether what might be meant for a URL is taken for one.
    """
    url = _URL_IN_WORD.search(word)
    if url is None and guess and "@" in word:
        url = _WRONG_URL_IN_WORD.search(word)
    return word[: url.start()] + shown_url(word[url.start() :]) if url else word


def _secret_spans(url: str) -> list[tuple[int, int]]:
    """Find what must not be shown, as (start, end) in the URL, in order."""
    start, end = _password_span(url)
    spans = [(start, end)]
    authority = _AUTHORITY.match(url)
    rest = max(end, authority.end() if authority else 0)
    query = re.compile(r"[?#]").search(url, rest)
    if query:
        at = query.end()
        for pair in url[at:].split("&"):
            key, _, value = pair.partition("=")
            if _SECRET_KEY.search(unquote(key)) or _SECRET_WITHIN.search(unquote(value)):
                spans.append((at + len(key) + 1, at + len(pair)))
            at += len(pair) + 1
    return [(start, end) for start, end in spans if start < end]


def _password_span(url: str) -> tuple[int, int]:
    """Find the password; an empty span where there is none."""
    if _PATH.match(url):
        return 0, 0
    authority = _AUTHORITY.match(url)
    if authority is None:
        # A URL that is written wrongly, or without its scheme.
        return _after_colon(url, 0, _userinfo_end(url, 0))
    if authority["scheme"].lower() in ("http", "https"):
        return _web_password_span(url, authority)
    # SQLAlchemy takes a password with / in it, and drivers even one with an @.
    start = authority.start("authority")
    return _after_colon(url, start, _userinfo_end(url, start))


def _web_password_span(url: str, authority: re.Match[str]) -> tuple[int, int]:
    """Find the password or the token of a web page's URL; an empty span where there is none."""
    start, end = authority.span("authority")
    userinfo_end = url.rfind("@", start, end)
    if userinfo_end < 0:
        # A password may hold what ends an authority (/ ? #): others then repeat it in what they
        # say of the port.
        _, colon, port = authority["authority"].partition(":")
        if not colon or not port or port.isdigit() or authority["authority"].startswith("["):
            return start, start
        userinfo_end = url.rfind("@", end)
    elif ":" not in url[start:userinfo_end]:
        return start, userinfo_end
    return _after_colon(url, start, userinfo_end)


def _userinfo_end(url: str, start: int) -> int:
    """Find the last @ before the query, or the last of all; -1 for none."""
    query = re.compile(r"[?#]").search(url, start)
    before = url.rfind("@", start, query.start()) if query else -1
    return before if before >= 0 else url.rfind("@", start)


def _after_colon(url: str, start: int, end: int) -> tuple[int, int]:
    """Give what stands between the first colon and the end; an empty span without a colon."""
    colon_at = url.find(":", start, end) if end >= 0 else -1
    return (colon_at + 1, end) if colon_at >= 0 else (start, start)
