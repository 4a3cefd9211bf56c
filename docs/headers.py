"""A directive that documents one header of the library from Doxygen's XML, in the order of the source.

    .. header:: train.h

Breathe's own directive for files sorts declarations by kind, but comments in the headers follow each other ("Its
gradient", "The same from the text of such a file"). Functions without a comment that only name a value are left out.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from sphinx.util.docutils import SphinxDirective

DIRECTIVES = {"enum": "doxygenenum", "function": "doxygenfunction", "typedef": "doxygentypedef"}


def text(element: ElementTree.Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()


def documented(element: ElementTree.Element) -> bool:
    return bool(text(element.find("briefdescription")) or text(element.find("detaileddescription")))


def without_defaults(arguments: str) -> str:
    """Of Doxygen's argument string: `(const Matrix &a, double b=0) const` without `=0`, as Breathe looks it up."""
    return re.sub(r"\s*=\s*(\{\}|[^,(){}]+(\(\))?)(?=[,)])", "", arguments)


class Header(SphinxDirective):
    required_arguments = 1

    def run(self):
        header = self.arguments[0]
        folder = self.config.breathe_projects[self.config.breathe_default_project]
        found: list[tuple[int, list[str]]] = []

        def here(element: ElementTree.Element) -> int | None:
            location = element.find("location")
            return int(location.get("line")) if location.get("file").endswith(f"/{header}") else None

        namespace = ElementTree.parse(f"{folder}/namespacerelufit.xml").getroot().find("compounddef")
        for member in namespace.iter("memberdef"):
            line, kind, name = here(member), member.get("kind"), text(member.find("name"))
            if line is None or kind not in DIRECTIVES or (name == "to_string" and not documented(member)):
                continue
            argument = f"relufit::{name}"
            if kind == "function":
                argument += without_defaults(text(member.find("argsstring")))
            found.append((line, [f".. {DIRECTIVES[kind]}:: {argument}"]))
        for inner in namespace.iter("innerclass"):
            if text(inner).count("::") > 1:
                continue  # part of another
            definition = ElementTree.parse(f"{folder}/{inner.get('refid')}.xml").getroot().find("compounddef")
            line, kind = here(definition), definition.get("kind")
            if line is not None:
                members = [":members:"] + ([":undoc-members:"] if kind == "struct" else [])
                found.append((line, [f".. doxygen{kind}:: {text(inner)}", *[f"   {option}" for option in members]]))
        if not found:
            raise self.error(f"header: nothing found in {header}")
        self.env.note_dependency(f"{folder}/namespacerelufit.xml")
        lines = [f".. doxygenfile:: {header}", "   :sections: briefdescription detaileddescription", ""]
        for _, directive in sorted(found):
            lines += [*directive, ""]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    app.add_directive("header", Header)
    return {"parallel_read_safe": True}
