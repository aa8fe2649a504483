"""A page of ours, read by another parser than a browser's."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from typing import Any


class Reading(HTMLParser):
    """What a page of HTML consists of.

    Attributes:
        tags: The names of its elements, in order.
        attributes: The attributes of all elements: the element's name, its own, and its value.
        scripts: The attributes and the text of each script.
        text: All that stands between tags, but for scripts and styles.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a script or a style."""
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self._inside != "style":
            self.text += data

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever was written
        """What the page's scripts are given, of which NaN and infinities are no part."""

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        (text,) = [text for attributes, text in self.scripts if attributes.get("id") == "data"]
        return json.loads(text, parse_constant=refuse)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of its table of all trials, one record each."""
        columns = self.data["table"]["columns"]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def check_that_nothing_leads_out(self) -> None:
        """Hold that its scripts are those that its policy allows, and that it asks for nothing."""
        assert self.tags[:4] == ["html", "head", "meta", "meta"]
        assert self.attributes[:2] == [("html", "lang", "en"), ("meta", "charset", "utf-8")]
        assert self.attributes[2] == ("meta", "http-equiv", "Content-Security-Policy")
        policy = self.attributes[3][2]
        allowed = policy.partition("script-src ")[2].partition(";")[0].split()
        written = [text for attributes, text in self.scripts if not attributes]
        hashes = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in written
        ]
        assert allowed == [f"'sha256-{one}'" for one in hashes]
        assert [attributes for attributes, _ in self.scripts] == [
            {"type": "application/json", "id": "data"},
            {},
            {},
        ]
        assert policy.startswith("default-src 'none'; ")
        for tag, name, value in self.attributes:
            assert not name.startswith("on"), (tag, name, value)
            assert name not in ("src", "srcset", "srcdoc", "action", "formaction"), (tag, value)
            assert name != "href" or value.startswith("#"), (tag, value)
            # What a person reads in a tip or hears may say anything.
            assert name in ("title", "aria-label") or "javascript:" not in value.lower()
