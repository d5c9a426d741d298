"""``listen``: sound, piano roll with a cursor, score and downloads in one panel that needs nothing but itself."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from html import escape
from itertools import count
from pathlib import Path

import anywidget
import traitlets

from course_lib.music.errors import MusicError
from course_lib.music.files import midi_bytes, musicxml
from course_lib.music.keys import note_name
from course_lib.music.piece import Piece
from course_lib.show import roll
from course_lib.show.audio import data_url, mp3, synthesize
from course_lib.show.notation import engrave, score_alt, svg_url

CSS = Path(__file__).with_name("panel.css").read_text(encoding="utf-8")

JAVASCRIPT = Path(__file__).with_name("panel.js").read_text(encoding="utf-8")

_LEAST_STEP = 10  # pixels for a quarter note; where the page is narrower than that, the roll scrolls

_OURS = 'data-lm-suppress-shortcuts="true"'  # a key pressed here is none of JupyterLab's shortcuts

_number = count(1)


class Panel:
    """One or several pieces to listen to, to see and to read. Made by ``listen``."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def listen(
    *pieces: Piece,
    title: str | Sequence[str] | None = None,
    caption: str = "",
    instruments: str | int | Sequence[str | int] | None = None,
) -> Panel:
    """A panel with player, piano roll, score and downloads. Several pieces stand side by side and sound in turn.

    title: the piece's own where None; one for each of several pieces.
    caption: stands above: what to listen for.
    instruments: as in ``synthesize``.
    Keys, when the play button or the slider has the focus: space plays and pauses, left and right move by a
    quarter note, down and up by a bar. Raises MusicError without a piece, or when titles and pieces do not pair.
    Notebook: 00.
    """
    titles = [title] if isinstance(title, str) else list(title or [piece.title or "Untitled" for piece in pieces])
    if not pieces or len(titles) != len(pieces):
        raise MusicError(
            f"{len(titles)} titles for {len(pieces)} pieces. Give at least one piece, and a title for each."
        )
    sounds = [mp3(*synthesize(piece, instruments)) for piece in pieces]
    inside = markup(pieces, titles, caption, sounds)
    name = f"listen-{zlib.crc32(inside.encode()):08x}-{next(_number)}"
    # A page may hold the same output twice: each script takes what is not alive yet.
    script = f'document.querySelectorAll("#{name}:not([data-alive])").forEach((panel) => mountPanel(panel));'
    html = (
        f'<div class="listen" id="{name}"><style>{CSS}</style>{inside}'
        f"<script>(() => {{\n{JAVASCRIPT}\n{script}\n}})();</script></div>"
    )
    return Panel(html, "\n".join(roll.roll_alt(piece) for piece in pieces))


def markup(pieces: Sequence[Piece], titles: Sequence[str], caption: str, sounds: Sequence[bytes] | None = None) -> str:
    """The inside of a panel as HTML; without ``sounds`` the script brings them."""
    span = max((len(piece) + roll.lead(piece)) * piece.step_seconds for piece in pieces)
    pitches = roll.pitch_span(pieces)
    takes = [
        _take(piece, name, sounds[i] if sounds else None, span, pitches)
        for i, (piece, name) in enumerate(zip(pieces, titles, strict=True))
    ]
    return (f"<p>{escape(caption)}</p>" if caption else "") + "".join(takes)


def _take(piece: Piece, title: str, sound: bytes | None, span: float, pitches: tuple[int, int]) -> str:
    """One piece with its player, score and downloads."""
    name, file = escape(title), file_name(title)
    plain = f'<audio controls src="{data_url(sound, "audio/mpeg")}" aria-label="{name}"></audio>' if sound else ""
    midi = data_url(midi_bytes(piece), "audio/midi")
    xml = data_url(compressed_musicxml(piece), "application/vnd.recordare.musicxml")
    more = f"""<div class="more"><details><summary {_OURS}>Score</summary>
<div class="score" tabindex="0" role="region" aria-label="Score">{score(piece)}</div></details>
<span>Save: <a {_OURS} class="sound" download="{file}.mp3">sound</a>,
<a {_OURS} download="{file}.mid" href="{midi}">MIDI</a>,
<a {_OURS} download="{file}.mxl" href="{xml}">MusicXML</a>
</span></div>"""
    return take(piece, title, span, pitches, plain, more)


def take(piece: Piece, title: str, span: float, pitches: tuple[int, int], plain: str = "", more: str = "") -> str:
    """The figure with the place for the player, the roll and the names of the voices.

    span: seconds that the roll is wide; pitches: from where to where it goes. plain: HTML that plays where no
    script runs; more: HTML below.
    """
    step = piece.step_seconds
    time = {
        "seconds": piece.seconds,
        "beat": 60 / piece.tempo,
        "bar": piece.bar_steps * step,
        "pickup": piece.pickup * step,
        "head": roll.lead(piece) * step,
        "span": span,
    }
    name = escape(title)
    legend = "".join(
        f'<span><i style="background:{roll.voice_colour(piece, voice)}"></i>{escape(text)}</span>'
        for voice, text in enumerate(piece.voices)
    )
    return f"""
<figure class="take" role="group" aria-label="{name}" data-time="{escape(json.dumps(time))}">
<figcaption class="name">{name}</figcaption>
<div class="transport"></div>
{plain}
{_roll(piece, span, pitches)}
<div class="legend">{legend}</div>
{more}
</figure>"""


def score(piece: Piece) -> str:
    """The engraved score as an image."""
    svg = engrave(piece)
    least = round(0.7 * float(re.search(r'width="([\d.]+)', svg)[1]))  # pixels; on less, the score scrolls
    return f'<img alt="{escape(score_alt(piece))}" style="max-width:max(100%,{least}px)" src="{svg_url(svg)}">'


def file_name(title: str) -> str:
    """A title as the name of a file, without its ending."""
    return re.sub(r"[^\w.]+", "-", title).strip("-.").lower()[:60] or "piece"


def _roll(piece: Piece, span: float, pitches: tuple[int, int]) -> str:
    """The piano roll: boxes and lines stretch with the page, letters do not."""
    low, high = pitches
    rows, lead, steps = high - low + 1, roll.lead(piece), span / piece.step_seconds
    boxes: dict[tuple[bool, int], str] = {}
    for b in roll.note_boxes(piece):
        wide, tall = b.right - b.left, b.top - b.bottom
        box = f"M{b.left:.5g} {high + 0.5 - b.top:.4g}h{wide:.4g}v{tall:.3g}h-{wide:.4g}z"
        where = (tall < 0.6, b.voice)  # halves over wholes
        boxes[where] = boxes.get(where, "") + box
    colours = [roll.voice_colour(piece, voice) for voice in range(len(piece.voices))]
    notes = "".join(f'<path fill="{colours[voice]}" d="{d}"/>' for (_, voice), d in sorted(boxes.items()))
    marks = roll.pitch_marks(low, high)
    beams = "".join(f"M{-lead:g} {high + 0.5 - pitch:g}H{steps:.5g}" for pitch in marks)
    lines = "".join(f"M{line} 0V{rows}" for line in [*piece.bar_lines, len(piece)])
    pen = 'fill="none" vector-effect="non-scaling-stroke" stroke-width="1" stroke='
    names = "".join(_mark("top", (high + 0.5 - pitch) / rows, note_name(pitch)) for pitch in marks)
    numbers = "".join(_mark("left", (line + lead) / steps, str(number)) for line, number in roll.bar_numbers(piece))
    height = min(300, max(130, 6 * rows))
    width = round(_LEAST_STEP * steps / piece.steps_per_quarter)
    picture = svg_url(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-lead:g} 0 {steps:.6g} {rows}" preserveAspectRatio="none">'
        f'<path d="{beams}" {pen}"#e0e0e0"/><path d="{lines}" {pen}"#8c8c8c"/>{notes}</svg>'
    )
    return (
        f'<div class="roll"><div class="pitches" aria-hidden="true">{names}</div><div class="scroll">'
        f'<div class="grid" style="min-width:{width}px"><img draggable="false" alt="{escape(roll.roll_alt(piece))}" '
        f'width="100%" style="height:{height}px" src="{picture}">'
        f'<div class="numbers" aria-hidden="true">{numbers}</div><div class="cursor"></div></div></div></div>'
    )


def _mark(edge: str, place: float, text: str) -> str:
    """A name beside the roll, written by the style sheet: where that is taken away, no loose letters are left."""
    return f'<span style="{edge}:{100 * place:.2f}%" data-text="{text}"></span>'


def compressed_musicxml(piece: Piece) -> bytes:
    """MusicXML as .mxl, the format's own container: a tenth of the size. The same piece gives the same bytes."""
    container = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("META-INF/container.xml", container), ("score.musicxml", musicxml(piece))):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


_RENDER = """
export default {
  render({ model, el }) {
    let player, url;
    const show = () => {
      const [time, playing, open] = [player?.now(), player?.playing(), el.querySelector("details")?.open];
      player?.stop();
      el.innerHTML = `<div class="listen">${model.get("_markup")}</div>`;
      const sound = model.get("_sound"); // a view of the message: the player gets a copy of its own
      const bytes = sound.buffer.slice(sound.byteOffset, sound.byteOffset + sound.byteLength);
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
      el.querySelector(".sound").href = url;
      el.querySelector("details").open = open ?? false;
      player = mountPanel(el.firstElementChild, bytes);
      if (playing) player.play(time);
    };
    model.on("change:_markup", show);
    show();
    return () => { model.off("change:_markup", show); player.stop(); };
  },
};
"""


class Player(anywidget.AnyWidget):
    """The panel of ``listen`` for one piece, as a widget: ``player.piece = other`` changes it in place.

    A sound that plays goes on with the new piece at the same place. A saved page shows no widgets: put a
    ``listen`` beside it. title: the piece's own where None. caption: stands above. instruments: as in
    ``synthesize``. They may be set anew before the piece.
    """

    _esm = JAVASCRIPT + _RENDER
    _css = CSS
    _markup = traitlets.Unicode().tag(sync=True)
    _sound = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        piece: Piece,
        title: str | None = None,
        caption: str = "",
        instruments: str | int | Sequence[str | int] | None = None,
    ) -> None:
        self.title, self.caption, self.instruments = title, caption, instruments
        super().__init__(**self._state(piece))
        self._piece = piece

    @property
    def piece(self) -> Piece:
        """The piece that is shown; setting it changes sound, roll, score and downloads."""
        return self._piece

    @piece.setter
    def piece(self, piece: Piece) -> None:
        state = self._state(piece)
        with self.hold_sync():  # one message: picture and sound change together
            for name, value in state.items():
                setattr(self, name, value)
        self._piece = piece

    def __repr__(self) -> str:
        return f"Player. {roll.roll_alt(self._piece)}"

    def _state(self, piece: Piece) -> dict[str, str | bytes]:
        title = piece.title or "Untitled" if self.title is None else self.title
        return {
            "_markup": markup([piece], [title], self.caption),
            "_sound": mp3(*synthesize(piece, self.instruments)),
        }
