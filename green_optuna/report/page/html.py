"""The page: one HTML file that asks for nothing, from wherever it is opened."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.plain import finite_or_none
from green_optuna.report.hypervolume import hypervolume_over_co2e
from green_optuna.report.importance import importances
from green_optuna.report.page.content import content_of
from green_optuna.report.page.grids import shorten
from green_optuna.report.page.shown import shown_of
from green_optuna.units import with_micro_signs
from green_optuna.urls import shown_data

if TYPE_CHECKING:
    import jinja2

    from green_optuna.report.subject import Subject

_ASSETS = Path(__file__).parent / "assets"

# In the order in which they lean on one another.
_SCRIPTS = ("format.js", "store.js", "filter.js", "table.js", "charts.js", "fronts.js", "page.js")

# A colour on light paper, and that on dark.
_PAIR = re.compile(r"(--[\w-]+): light-dark\((#\w+), #\w+\)")

# What no eye can see, or what turns the direction of a text, and halves of characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)


def page(subject: Subject) -> str:
    """Write a study as one page of HTML.

    All that it needs is in it. Its content security policy allows the scripts that it comes with,
    by their hashes, and no request at all; names and values of the study are text wherever they
    stand.

    Args:
        subject: What the report is about.

    Returns:
        The page, about 5 MB of it Plotly, which draws the figures.
    """
    from plotly.offline import get_plotlyjs

    curve = hypervolume_over_co2e(subject)
    decided = importances(subject)
    content = content_of(subject, curve, decided)
    scripts = "\n".join(_asset(name) for name in _SCRIPTS)
    plotly = get_plotlyjs()
    script = f'"use strict";\n(() => {{\n{scripts}\n}})();'
    policy = (
        f"default-src 'none'; script-src {_hash(plotly)} {_hash(script)}; "
        # Plotly writes styles of its own; pictures of figures go through data and blob addresses.
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        shown=shown_of(subject, content, curve, decided),
        data=_json(content),
        policy=policy,
        style=_markup(_style()),
        plotly=_markup(plotly),
        script=_markup(script),
    )


def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "shorten": shorten, "micro": with_real_signs}
    return environment.get_template("page.html.j2")


def _markup(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _style() -> str:
    """Give the page's style; browsers that know no pairs of colours have the first of each."""
    style = _asset("page.css")
    first = " ".join(f"{name}: {colour};" for name, colour in _PAIR.findall(style))
    return (
        f"{style}\n@supports not (color: light-dark(white, black)) {{\n"
        f"  :root, :root[data-theme] {{ color-scheme: light; {first} }}\n"
        "  #theme { display: none; }\n}\n"
    )


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(content: dict[str, Any]) -> str:
    """Write data so that no text in it can end the element that holds it."""
    text = json.dumps(shown_data(finite_or_none(content)), separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return _markup(text)


def visible(text: object) -> str:
    """Put a sign for each character that no eye can see, or that HTML has no place for.

    Passwords of addresses in the text are hidden, too.
    """
    return _HIDDEN.sub("\ufffd", shown_data(str(text)))


def with_real_signs(text: str) -> str:
    """Write ``1 - quality`` and ``48.6 ug`` with signs that a terminal may not have."""
    text = re.sub(r"\b1 - (?=quality\b)", "1 \N{MINUS SIGN} ", text)
    return with_micro_signs(text)
