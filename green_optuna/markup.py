"""Texts of others as Markdown shows them: as they are."""

from __future__ import annotations

import re


def in_markdown(text: str) -> str:
    """Write a text so that Markdown, and the HTML in it, shows it as it is, in one line.

    >>> in_markdown("a | study <b>")
    'a &#124; study &#60;b&#62;'
    """
    return re.sub(
        r"[^\w\s.,:;'()%/=+-]|_", lambda found: f"&#{ord(found[0])};", " ".join(text.split())
    )
