"""Reading reports: an HTML parser that refuses what is not well formed, and what a page says."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}
OPTIONAL_SELF = {"path", "polyline"}  # of SVG, which close themselves


class Page(HTMLParser):
    """Text, numbers (of <data value>), tags and attributes; AssertionError where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: dict[str, list[float]] = {}  # by the section they stand in
        self.texts: list[str] = []
        self.sections: list[str] = []
        self.section = ""
        self.declared = False
        self.feed(text)
        self.close()
        assert self.declared, "no <!DOCTYPE html>"
        assert self.open == [], f"not closed: {self.open}"

    def handle_decl(self, decl: str) -> None:
        self.declared = decl.lower() == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice: {attrs}"
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = attributes["id"] or ""
            self.sections.append(self.section)
        if tag == "data":
            self.numbers.setdefault(self.section, []).append(float(attributes["value"] or "nan"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OPTIONAL_SELF, f"<{tag}/> closes itself"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self.open:
            self.texts.append(" ".join(data.split()))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)
