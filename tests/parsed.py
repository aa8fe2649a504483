"""HTML as a browser would take it apart, to hold what a page shows against what we wrote."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"br", "hr", "img", "meta", "link", "input"})


class Parsed(HTMLParser):
    """The elements, attributes and texts of a piece of HTML, which must be well-formed.

    Attributes:
        elements: The name and the attributes of each element, in order.
        texts: The texts, in order, with what encloses each directly.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that ends itself, as SVG's may."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Hold that what ends was begun last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append((self._open[-1] if self._open else "", data))

    def handle_comment(self, data: str) -> None:
        """Take no comment."""
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        """Take no declaration."""
        raise AssertionError(f"a declaration: {decl!r}")

    def unknown_decl(self, data: str) -> None:
        """Take no other declaration either."""
        raise AssertionError(f"a declaration: {data!r}")

    @property
    def tags(self) -> set[str]:
        """The names of the elements that there are."""
        return {tag for tag, _ in self.elements}

    def of(self, tag: str) -> list[dict[str, str]]:
        """Give the attributes of each element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags: str) -> str:
        """Give the texts in some elements, or all of them, apart by spaces."""
        return " ".join(data for tag, data in self.texts if not tags or tag in tags)
