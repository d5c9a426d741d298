"""Engraved scores as small SVG."""

from __future__ import annotations

import re
import zlib
from itertools import count
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from course_lib.music.errors import MusicError
from course_lib.music.files import musicxml
from course_lib.music.piece import Piece
from course_lib.show.roll import bar_count

_SVG = "http://www.w3.org/2000/svg"

_NOT_DRAWN = {"placeholder", "tempo"}  # the metronome mark would bring a whole text font along

_number = count(1)


def engrave(piece: Piece, width: int = 900) -> str:
    """The score as one ``<svg>``: responsive, no title, ids that no other score on the page has.

    width: the width in pixels for which systems are broken; the picture then fits any width.
    Raises MusicError when the engraver cannot read the piece.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    scale = 40
    toolkit = verovio.toolkit(False)
    # The engraver keeps its path for each thread, and a widget's callback runs in a thread of its own.
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit.setOptions(
        {
            "pageWidth": width * 100 // scale,
            "pageHeight": 60_000,
            "adjustPageHeight": True,
            "scale": scale,
            "header": "none",
            "footer": "none",
            "pageMarginTop": 40,
            "pageMarginBottom": 20,
            "pageMarginLeft": 20,
            "pageMarginRight": 20,
            "spacingSystem": 6,
            "svgViewBox": True,
            "svgRemoveXlink": True,
            "svgFormatRaw": True,
            "xmlIdSeed": 1,
        }
    )
    if not toolkit.loadData(musicxml(piece)):
        raise MusicError(f"the score of {piece!r} could not be engraved. Save it as MusicXML and open it elsewhere.")
    if toolkit.renderToSVG(1).count('class="system"') == 1:  # a short piece keeps its width, longer ones fill the page
        toolkit.setOptions({"adjustPageWidth": True})
        toolkit.redoLayout()
    pages = [toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount())]
    return "".join(_small(page, score_alt(piece)) for page in pages)


def svg_url(svg: str) -> str:
    """An SVG as the address of an ``<img>``: shorter than base64, and its ids meet no others."""
    plain = svg.replace("'", "&#39;").replace('"', "'")
    return "data:image/svg+xml," + quote(plain, safe=" '=/:;,()+!*@$")


def score_alt(piece: Piece) -> str:
    """What the picture of the score shows, in words."""
    voices = ", ".join(piece.voices)
    return f"Score of {piece.title or 'a piece without title'}: {bar_count(piece)}, staves for {voices}."


def _small(svg: str, label: str) -> str:
    """The engraver's SVG without what only its own tools use: half the size."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    name = f"score{zlib.crc32(svg.encode()):08x}-{next(_number)}"
    for style in root.findall(f"{{{_SVG}}}style") + root.findall(f"{{{_SVG}}}desc"):
        root.remove(style)
    for glyph in root.find(f"{{{_SVG}}}defs") or ():
        glyph.set("id", f"{name}-{glyph.get('id', '').split('-')[0]}")
    page = root.find(f"{{{_SVG}}}svg")
    if page is None:
        raise MusicError("the engraver's picture has no page in it. Install the verovio of constraints.txt.")
    _slim(page, name)
    page.set("stroke", "currentColor")
    box = root.get("viewBox", "")
    width, height = box.split()[2:]
    responsive = {"width": width, "height": height, "style": "max-width:100%;height:auto"}
    root.attrib = {"viewBox": box, **responsive, "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _slim(element: ElementTree.Element, name: str) -> None:
    """Drops classes, ids and empty groups below an element, lifts bare groups, joins lines of one width."""
    kept: list[ElementTree.Element] = []
    for child in element:
        tag, kind = child.tag.removeprefix(f"{{{_SVG}}}"), set(child.attrib.pop("class", "").split())
        child.attrib.pop("id", None)
        if kind & _NOT_DRAWN:
            continue
        if tag == "g":
            _slim(child, name)
            if "mNum" in kind:
                child.set("font-style", "italic")
            kept += [child] if child.attrib else list(child)
        elif tag == "use":
            child.set("href", f"#{name}-{child.get('href', '').removeprefix('#').split('-')[0]}")
            child.set("transform", re.sub(r"scale\((\S+), \1\)", r"scale(\1)", child.get("transform", "")))
            kept.append(child)
        elif tag == "text":
            if "".join(child.itertext()).strip():
                child.set("stroke", "none")
                for part in child.iter():
                    part.attrib.pop("class", None)
                    part.attrib.pop("id", None)
                kept.append(child)
        elif tag == "path" and kept and _joins(kept[-1], child):
            kept[-1].set("d", kept[-1].get("d", "") + child.get("d", ""))
        else:
            kept.append(child)
    element[:] = kept


def _joins(last: ElementTree.Element, path: ElementTree.Element) -> bool:
    """True for two straight lines of the same pen."""
    same = last.tag == path.tag and set(last.attrib) == set(path.attrib) == {"d", "stroke-width"}
    return same and last.get("stroke-width") == path.get("stroke-width") and "C" not in path.get("d", "C")
