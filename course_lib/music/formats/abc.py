"""ABC tunes, read after the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1).

Neither through verovio, which a damaged tune can crash with the whole process, nor through music21, which some
keep busy for minutes, and which loses dotted rhythms beside slurs.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from course_lib.music.errors import TooLarge, UnreadableFile
from course_lib.music.formats.quantise import MAX_VOICES, Part, Raw, RawNote
from course_lib.music.keys import LETTERS, MODES, key_fifths, key_of_signature, signature

MAX_TUNES = 10_000
MAX_LETTERS = 200_000  # of one tune
# Every repetition is bounded or cannot overlap with what follows it, so that no text takes more than linear time.
TOKEN = re.compile(
    r"""
      "(?P<symbol>[^"\n]*)"
    | (?P<skip>\{[^}\n]{0,500}\}|%[^\n]*|&[^|\n]*|^\+:[^\n]*)  # grace notes, comments, overlays
    | !(?P<decoration>[^!\n]{0,50})!
    | (?P<fermata>H(?=[.~uvT^_=]{0,5}[A-Ga-g\[]))
    | \[(?P<inline>[A-Za-z]):(?P<inline_value>[^\]\n]{0,200})\]
    | ^(?P<field>[A-Za-z]):(?![|:])(?P<value>[^\n]*)
    | \[(?P<chord>[^\]\[|:\n]{1,200})\](?P<chord_length>\d*/*\d*)
    | (?P<bar>[:\[]{0,3}\|[|:\]]{0,4}(?:\[?\d[\d,.-]*)?|::|\[\d[\d,.-]*)
    | \((?P<actual>[2-9])(?::(?P<normal>\d{0,2}))?(?::(?P<count>\d{0,2}))?
    | (?P<note>[\^_=]{0,2}[A-Ga-g][,']{0,9})(?P<length>\d*/*\d*)
    | (?P<rest>[zx])(?P<rest_length>\d*/*\d*)
    | (?P<bars>Z\d{0,3})
    | (?P<broken>>{1,3}|<{1,3})
    | (?P<tie>-)
    """,
    re.VERBOSE | re.MULTILINE,
)
_CHORD_NOTE = re.compile(r"([\^_=]{0,2}[A-Ga-g][,']{0,9})(\d*/*\d*)(-?)")
_NOTE = re.compile(r"([\^_=]*)([A-Ga-g])([,']*)")
_LENGTH = re.compile(r"(\d*)(/*)(\d*)")
_KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)")
_NAMES, _SCALE = tuple(LETTERS), tuple(LETTERS.values())
SIGNS = {"__": -2, "_": -1, "=": 0, "^": 1, "^^": 2}
"""Semitones by which each accidental alters a letter."""

_NORMAL = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # notes in whose time a tuplet of 2, 3, … stands; others by the metre


@lru_cache(4096)
def staff_place(note: str) -> tuple[str, str, int]:
    """Accidental, letter and staff place of a note such as ``^f'``; places count letters up from middle C, ``C``."""
    accidental, letter, octave = _NOTE.match(note).groups()  # type: ignore[union-attr]
    octaves = letter.islower() + octave.count("'") - octave.count(",")
    return accidental, letter.upper(), 7 * octaves + _NAMES.index(letter.upper())


def midi_pitch(place: int, alteration: int) -> int:
    """The MIDI pitch of a staff place, altered by so many semitones."""
    return 60 + 12 * (place // 7) + _SCALE[place % 7] + alteration


@dataclass
class Accidentals:
    """What alters the notes of a tune where it is being read: its key, the signs since the bar line, a tie.

    signature, in_bar: the alteration of each letter, in every octave. tied: that of each staff place which the last
    note is tied to. Whoever reads the tune empties ``in_bar`` at a bar line, and sets ``tied`` after each note.
    """

    signature: dict[str, int] = field(default_factory=dict)
    in_bar: dict[str, int] = field(default_factory=dict)
    tied: dict[int, int] = field(default_factory=dict)

    def read(self, note: str) -> tuple[int, int]:
        """Staff place and alteration, in semitones, of a note."""
        accidental, letter, place = staff_place(note)
        if accidental in SIGNS:
            self.in_bar[letter] = SIGNS[accidental]
        elif place in self.tied:
            return place, self.tied[place]
        return place, self.in_bar.get(letter, self.signature.get(letter, 0))


@lru_cache(4096)
def note_length(text: str) -> Fraction:
    """A length such as ``3/2``, ``//`` or none, in unit lengths. Raises UnreadableFile."""
    count, slashes, divisor = _LENGTH.match(text).groups()  # type: ignore[union-attr]
    if len(count) > 4 or len(divisor) > 4 or len(slashes) > 8 or (divisor and int(divisor) == 0):
        raise UnreadableFile(f"a note has the length '{text[:40]}'; write 1..9999, or a fraction of such numbers.")
    return Fraction(int(count or 1), int(divisor) if divisor else 2 ** len(slashes))


def unit_length(value: str) -> Fraction | None:
    """The unit of an L: field, ``1/8``, in whole notes; None where it is none."""
    match = re.fullmatch(r"([1-9]\d{0,2})\s*(?:/\s*([1-9]\d{0,3}))?", value.split("%")[0].strip())
    return Fraction(int(match[1]), int(match[2] or 1)) if match else None


def default_unit(metre: tuple[int, int] | None) -> Fraction:
    """The ABC standard's length of a letter without a number, in whole notes: 1/16 below a metre of 3/4, else 1/8."""
    return Fraction(1, 16) if metre and Fraction(*metre) < Fraction(3, 4) else Fraction(1, 8)


def tuplet_normal(actual: int, metre: tuple[int, int] | None) -> int:
    """In the time of how many notes a tuplet of ``actual`` notes stands, where it does not give their number."""
    compound = metre is not None and metre[0] in (6, 9, 12) and metre[1] >= 8
    return _NORMAL.get(actual, 3 if compound else 2)


def broken_rhythm(sign: str) -> tuple[Fraction, Fraction]:
    """By how much ``>``, ``<``, ``>>`` … lengthen or shorten the note before and the note after."""
    short = Fraction(1, 2 ** len(sign))
    return (2 - short, short) if sign[0] == ">" else (short, 2 - short)


@dataclass
class _Sound:
    """A chord, a note (one pitch) or a rest (none); length in quarters."""

    pitches: list[int]
    length: float
    tied: set[int] = field(default_factory=set)
    fermata: bool = False


@dataclass
class _Voice:
    """A voice with what is valid at the place where it is being read."""

    name: str = ""
    shift: int = 0
    sounds: list[_Sound] = field(default_factory=list)
    symbols: list[tuple[int, str]] = field(default_factory=list)  # above the sound of this number
    before_bar: int = 0  # sounds before the first bar line
    unit: Fraction | None = None  # in whole notes; None: by the metre
    metre: tuple[int, int] | None = (4, 4)
    key: str | None = None
    accidentals: Accidentals = field(default_factory=Accidentals)
    tuplet: tuple[float, int] = (1.0, 0)  # factor, notes to come
    broken: float = 1.0
    places: list[tuple[int, int]] = field(default_factory=list)  # of the last sound: staff place, alteration
    fermata: bool = False

    def quarters(self, text: str) -> float:
        """A length such as ``3/2`` or ``//`` in quarters."""
        return float(4 * (self.unit or default_unit(self.metre)) * note_length(text))

    def sound(self, notes: list[tuple[str, bool]], length: float) -> None:
        """Adds a chord, note or rest. notes: text and whether a tie follows within the chord."""
        factor, left = self.tuplet
        if left:
            length, self.tuplet = length * factor, (factor, left - 1)
        length, self.broken = length * self.broken, 1.0
        self.places = [self.accidentals.read(text) for text, _ in notes]
        pitches = [midi_pitch(*place) + self.shift for place in self.places]
        tied = [pair for *pair, (_, tie) in zip(pitches, self.places, notes, strict=True) if tie]
        self.accidentals.tied = dict(place for _, place in tied)
        self.sounds.append(_Sound(pitches, length, {pitch for pitch, _ in tied}, self.fermata))
        self.fermata = False

    def tie(self) -> None:
        """Ties the last sound to the next."""
        if self.sounds and self.sounds[-1].pitches:
            self.sounds[-1].tied = set(self.sounds[-1].pitches)
            self.accidentals.tied = dict(self.places)

    def bar(self) -> None:
        """A bar line: accidentals end."""
        self.accidentals.in_bar = {}
        if not self.before_bar:
            self.before_bar = len(self.sounds)

    def start_tuplet(self, actual: int, normal: int, count: int) -> None:
        """The next ``count`` notes, or ``actual``, share the time of ``normal``."""
        self.tuplet = ((normal or tuplet_normal(actual, self.metre)) / actual, count or actual)

    def break_rhythm(self, sign: str) -> None:
        """``>`` and ``<``: the last sound takes from the next, or gives to it."""
        before, self.broken = map(float, broken_rhythm(sign))
        if self.sounds:
            self.sounds[-1].length *= before

    def field(self, kind: str, value: str) -> None:
        """A field that changes key, metre, unit length or transposition from here on."""
        value = value.split("%")[0].strip()
        if kind == "M":
            self.metre = metre_of(value)
        elif kind == "L":
            self.unit = unit_length(value) or self.unit
        elif kind == "K":
            self.key, self.accidentals.signature = key_and_signature(value)
            self.accidentals.in_bar = {}
        if kind in "KV":
            for octaves in re.findall(r"octave=(-?\d)\b", value):
                self.shift = 12 * int(octaves)
            for semitones in re.findall(r"transpose=(-?\d{1,2})\b", value):
                self.shift = int(semitones)
            for sign in re.findall(r"(?:treble|bass|alto|tenor|[GCF]\d?)([+-])8\b", value):
                self.shift = 12 if sign == "+" else -12
            name = re.search(r'\b(?:name|nm)="([^"]*)"', value)
            self.name = name[1].strip() if name and kind == "V" else self.name


def abc_tunes(text: str) -> list[str]:
    """The tunes of an ABC file; fields before the first tune stand at the head of each."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    begins = [match.start() for match in re.finditer(r"^X:", text, re.MULTILINE)]
    if len(begins) < 2:
        return [text]
    if len(begins) > MAX_TUNES:
        raise TooLarge(f"it has {len(begins)} tunes; up to {MAX_TUNES} are read. Divide the file.")
    common = dict(re.findall(r"^([LMQ]):([^\n]{0,100})", text[: begins[0]], re.MULTILINE))
    head = "".join(f"{kind}:{value}\n" for kind, value in common.items())
    return [head + text[a:b] for a, b in zip(begins, [*begins[1:], len(text)], strict=True)]


def abc_raw(tune: str) -> Raw:
    """One ABC tune as it stands. Grace notes and overlays are left out, repeats are not expanded.

    The first tempo, key and metre count; accidentals last to the end of the bar in every octave. What comes
    before a first bar line that comes too early is a pickup. Raises UnreadableFile.
    """
    if len(tune) > MAX_LETTERS:
        raise TooLarge(f"the tune has {len(tune)} letters; up to {MAX_LETTERS} are read. Cut it.")
    head = re.search(r"^K:[^\n]*", tune, re.MULTILINE)
    if head is None:
        raise UnreadableFile("the tune has no key. Add a line such as 'K:G' before the notes.")
    raw = Raw([])
    voices: dict[str, _Voice] = {}
    common = _Voice()
    named: list[str] = []
    for kind, value in re.findall(r"^([A-Za-z]):([^\n]*)", tune[: head.end()], re.MULTILINE):
        if kind == "T" and not raw.title:
            raw.title = " ".join(value.split("%")[0].split())
        elif kind == "Q" and raw.tempo is None:
            raw.tempo = _tempo(value)
        elif kind == "V":
            named.append(value)
        elif kind in "MLK":
            common.field(kind, value)

    def voice(value: str) -> _Voice:
        """The voice that a V: field names; a new one begins with the key, metre and unit of the header."""
        name = value.split()[0] if value.split() else "1"
        if name not in voices:
            accidentals = Accidentals(common.accidentals.signature)
            voices[name] = _Voice("", common.shift, unit=common.unit, metre=common.metre, accidentals=accidentals)
            if len(voices) > MAX_VOICES:
                raise TooLarge(f"it has more than {MAX_VOICES} voices; up to {MAX_VOICES} are read. Leave voices out.")
        voices[name].field("V", value)
        return voices[name]

    for value in named:
        voice(value)
    now = next(iter(voices.values()), None) or voice("1")
    metres = 0
    for token in TOKEN.finditer(tune, head.end()):
        kind = token.lastgroup
        part = token.groupdict()
        if part["inline"] or part["field"]:
            name, value = (part["inline"], part["inline_value"]) if part["inline"] else (part["field"], part["value"])
            if name == "V":
                now = voice(value)
            elif name in "MLK":
                metres += name == "M" and metre_of(value) != common.metre
                now.field(name, value)
        elif kind == "symbol":
            now.symbols.append((len(now.sounds), part["symbol"]))
        elif kind == "decoration":
            now.fermata |= part["decoration"] == "fermata"
        elif kind == "fermata":
            now.fermata = True
        elif part["chord"]:
            notes = _CHORD_NOTE.findall(part["chord"])
            if notes:
                outer = now.quarters(part["chord_length"]) / now.quarters("")
                now.sound([(text, bool(tie)) for text, _, tie in notes], now.quarters(notes[0][1]) * outer)
        elif kind == "bar":
            now.bar()
        elif part["actual"]:
            now.start_tuplet(int(part["actual"]), int(part["normal"] or 0), int(part["count"] or 0))
        elif part["note"]:
            now.sound([(part["note"], False)], now.quarters(part["length"]))
        elif part["rest"]:
            now.sound([], now.quarters(part["rest_length"]))
        elif kind == "bars":
            beats, unit = now.metre or (4, 4)
            now.sounds.append(_Sound([], int(part["bars"][1:] or 1) * beats * 4 / unit))
        elif kind == "broken":
            now.break_rhythm(part["broken"])
        elif kind == "tie":
            now.tie()
    raw.key, raw.time_signature = common.key, common.metre
    if metres:
        raw.remarks.append(f"the metre changes {metres} times; the first is kept throughout")
    for state in voices.values():
        _finish(raw, state)
    first = next(iter(voices.values()))
    pickup = sum(sound.length for sound in first.sounds[: first.before_bar])
    if common.metre and pickup < common.metre[0] * 4 / common.metre[1] - 1e-6 and first.before_bar < len(first.sounds):
        raw.pickup = pickup
    return raw


def _finish(raw: Raw, voice: _Voice) -> None:
    """Gives the sounds their times, joins ties, and adds the voice to the parts."""
    begins = list(itertools.accumulate((sound.length for sound in voice.sounds), initial=0.0))
    raw.chords = raw.chords or [(begins[number], text) for number, text in voice.symbols]
    notes: list[RawNote] = []
    now = 0.0
    tied: dict[int, int] = {}
    for sound in voice.sounds:
        end = now + sound.length
        places = {}
        for pitch in sound.pitches:
            if pitch in tied:
                places[pitch] = tied[pitch]
                notes[places[pitch]] = notes[places[pitch]]._replace(end=end)
            else:
                places[pitch] = len(notes)
                notes.append(RawNote(now, end, pitch))
        tied = {pitch: places[pitch] for pitch in sound.tied if pitch in places}
        if sound.fermata and not raw.parts:
            raw.fermatas.append(now)
        now = end
    raw.length = max(raw.length, now)
    raw.parts.append(Part(voice.name, [notes]))


def metre_of(value: str) -> tuple[int, int] | None:
    """``6/8``, ``C``, ``C|``, ``2+3/8``; None for ``none`` and what is no metre."""
    value = value.split("%")[0].strip()
    if value in ("C", "C|"):
        return (4, 4) if value == "C" else (2, 2)
    match = re.fullmatch(r"\(?((?:\d{1,3}\s*\+\s*){0,9}\d{1,3})\)?\s*/\s*([1-9]\d{0,2})", value)
    return (sum(int(n) for n in match[1].split("+")), int(match[2])) if match else None


def key_and_signature(value: str) -> tuple[str | None, dict[str, int]]:
    """Key and the alteration of each letter, of ``Gm``, ``D mixolydian``, ``Hp``, ``none``, ``D =c ^g`` …"""
    match = _KEY.match(value)
    key = None
    if value[:2].upper() == "HP":
        fifths = 2  # Highland pipes play F# and C#
    elif match:
        word = match[3].lower()
        mode = next((m for m in MODES if word and m[:3] == word[:3]), None)
        mode = "minor" if word == "m" or word[:3] == "aeo" else mode or "major"
        key = f"{match[1]}{match[2]} {mode}"
        fifths = key_fifths(key)
        key = key if key_of_signature(fifths, mode) == key else key_of_signature(fifths, mode)
    else:
        fifths = 0
    altered = signature(fifths)
    for accidental, letter in re.findall(r"(\^\^|\^|=|__|_)([A-Ga-g])", value):
        altered[letter.upper()] = SIGNS[accidental]
    return key, altered


def _tempo(value: str) -> float | None:
    """Quarters per minute of ``1/4=120``, ``3/8=50 "Slowly"`` or ``120``; None where there is no number."""
    value = re.sub(r'"[^"]*"', "", value).strip()
    match = re.fullmatch(r"((?:\d{1,3}/[1-9]\d{0,2}\s*){0,4})=?\s*(\d{1,4}(?:\.\d{1,3})?)", value)
    if not match:
        return None
    beats = [n.split("/") for n in match[1].split()] or [("1", "4")]
    return float(match[2]) * sum(4 * int(over) / int(under) for over, under in beats)
