"""Piece ⇄ MusicXML, through ElementTree.

Not through music21, because a round trip has to be exact: music21 writes lengths in parts of 1/10080 of a quarter,
whatever the grid, and on reading lets parts drift apart where one of them has a short bar or a rest of a wrong length.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from course_lib.music.errors import NotMusic, TooLarge, UnreadableFile
from course_lib.music.formats.quantise import MARK, MAX_VOICES, Part, Raw, RawNote, facts_text, runs
from course_lib.music.keys import (
    LETTERS,
    PITCH_CLASSES,
    key_fifths,
    key_of_signature,
    pitch_class,
    signature,
    spelled,
)
from course_lib.music.piece import REST, Piece

_TYPES = ("breve", "whole", "half", "quarter", "eighth", *(f"{2**n}th" if n != 5 else "32nd" for n in range(4, 11)))
_MAX_TAGS = 1_000_000
_ROUNDING = 0.125  # quarters by which a measure may miss its length, where divisions are too coarse for tuplets
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class _Sign:
    """One written note or rest: a part of a note between bar lines that one sign can stand for."""

    pitch: int
    start: int  # steps from the bar line
    steps: int
    type: int | None  # index in _TYPES; None for a rest of a whole bar
    dots: int
    tuplet: tuple[int, int] | None  # actual, normal
    carried: bool = False  # the note sounds on from the sign before
    tied_from: bool = False
    tied_to: bool = False
    fermata: bool = False
    beams: list[str] = field(default_factory=list)
    bracket: list[str] = field(default_factory=list)


def musicxml(piece: Piece) -> str:
    """The piece as MusicXML 4.0 text: one part a voice, engraved by verovio and read by notation programs.

    Notes are tied over bar lines, beamed by the beat and spelt by the key; a held start carries a tie that only
    ends. What MusicXML cannot hold (the grid) stands in a miscellaneous field, which only this library reads.
    """
    score = ElementTree.Element("score-partwise", version="4.0")
    if piece.title:
        _add(_add(score, "work"), "work-title", clean(piece.title))
    identification = _add(score, "identification")
    _add(_add(identification, "encoding"), "software", MARK)
    _add(_add(identification, "miscellaneous"), "miscellaneous-field", facts_text(piece), name=MARK)
    part_list = _add(score, "part-list")
    if len(piece.voices) > 1:
        group = _add(part_list, "part-group", type="start", number="1")
        _add(group, "group-symbol", "bracket")
    for voice, name in enumerate(piece.voices, 1):
        _add(_add(part_list, "score-part", id=f"P{voice}"), "part-name", clean(name))
    if len(piece.voices) > 1:
        _add(part_list, "part-group", type="stop", number="1")
    spelling = _spelling(piece.key)
    for voice, events in enumerate(_events(piece)):
        _part(_add(score, "part", id=f"P{voice + 1}"), piece, voice, events, spelling)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(score, encoding="unicode")


def clean(text: str) -> str:
    """Text as XML can carry it: no control characters, white space as single blanks."""
    return " ".join(_NOT_XML.sub("\ufffd", text).split())


def _add(parent: ElementTree.Element, tag: str, text: object = None, **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    if text is not None:
        child.text = str(text)
    return child


def _spelling(key: str | None) -> dict[int, tuple[str, int]]:
    """Letter and alteration for each pitch class: twelve neighbours on the line of fifths around the key.

    The leading note of minor and the dominants of neighbouring keys come out raised, b3 and b7 of major flat.
    """
    fifths = key_fifths(key)
    lowest = -4 if key is None else fifths - 2 if key.endswith("minor") else fifths - 3
    spelt = {}
    for place in range(lowest, lowest + 12):
        letter, alter = spelled(place)
        spelt[(LETTERS[letter] + alter) % 12] = (letter, alter)
    return spelt


def _events(piece: Piece) -> list[list[tuple[int, int, int, bool]]]:
    """For each voice its notes and rests without gaps: (pitch, start, end, held)."""
    events: list[list[tuple[int, int, int, bool]]] = [[] for _ in piece.voices]
    for note in piece.notes():
        line = events[note.voice]
        now = line[-1][2] if line else 0
        if note.start > now:
            line.append((REST, now, note.start, False))
        line.append((note.pitch, note.start, note.start + note.length, note.held))
    for line in events:
        now = line[-1][2] if line else 0
        if now < len(piece):
            line.append((REST, now, len(piece), False))
    return events


def _part(
    part: ElementTree.Element,
    piece: Piece,
    voice: int,
    events: list[tuple[int, int, int, bool]],
    spelling: dict[int, tuple[str, int]],
) -> None:
    """Writes the measures of one voice."""
    fifths = key_fifths(piece.key)
    of_key = signature(fifths)
    first = piece.pickup - piece.bar_steps if piece.pickup else 0
    bars = range(first, len(piece), piece.bar_steps)
    part.text = "\n"
    for number, (bar, signs) in enumerate(zip(bars, _bars(piece, events, bars), strict=True), 0 if piece.pickup else 1):
        measure = _add(part, "measure", number=str(number), **({"implicit": "yes"} if bar < 0 else {}))
        if bar == first:
            _attributes(measure, piece, voice, fifths)
            if voice == 0:
                _tempo(measure, piece.tempo)
        altered: dict[tuple[str, int], int] = {}
        for sign in signs:
            _note(measure, sign, spelling, of_key, altered).tail = "\n"
        if bar == bars[-1]:
            _add(_add(measure, "barline", location="right"), "bar-style", "light-heavy")
        measure.tail = "\n"


def _attributes(measure: ElementTree.Element, piece: Piece, voice: int, fifths: int) -> None:
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", piece.steps_per_quarter)
    key = _add(attributes, "key")
    _add(key, "fifths", fifths)
    if piece.key is not None:
        _add(key, "mode", piece.key.split(" ")[1])
    time = _add(attributes, "time")
    _add(time, "beats", piece.time_signature[0])
    _add(time, "beat-type", piece.time_signature[1])
    sounding = piece.pitch[:, voice][piece.pitch[:, voice] != REST]
    tenor = piece.voices[voice].strip().lower().startswith("tenor")
    treble = tenor or not len(sounding) or np.median(sounding) >= 60
    clef = _add(attributes, "clef")
    _add(clef, "sign", "G" if treble else "F")
    _add(clef, "line", 2 if treble else 4)
    if tenor:
        _add(clef, "clef-octave-change", -1)


def _tempo(measure: ElementTree.Element, tempo: float) -> None:
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    _add(metronome, "per-minute", f"{tempo:.6g}")
    _add(direction, "sound", tempo=repr(tempo))


def _note(
    measure: ElementTree.Element,
    sign: _Sign,
    spelling: dict[int, tuple[str, int]],
    of_key: dict[str, int],
    altered: dict[tuple[str, int], int],
) -> ElementTree.Element:
    """Writes one sign; ``altered`` holds the accidentals already met in this bar and is brought up to date."""
    note = _add(measure, "note")
    accidental = None
    if sign.pitch == REST:
        _add(note, "rest", **({"measure": "yes"} if sign.type is None else {}))
    else:
        letter, alter = spelling[sign.pitch % 12]
        octave = (sign.pitch - alter - LETTERS[letter]) // 12 - 1
        place = _add(note, "pitch")
        _add(place, "step", letter)
        if alter:
            _add(place, "alter", alter)
        _add(place, "octave", octave)
        over_bar_line = sign.carried and sign.start == 0
        if alter != altered.get((letter, octave), of_key[letter]) and not over_bar_line:
            accidental = _ACCIDENTALS[alter]
            altered[letter, octave] = alter
    _add(note, "duration", sign.steps)
    ties = ["stop"] * sign.tied_from + ["start"] * sign.tied_to
    for tie in ties:
        _add(note, "tie", type=tie)
    _add(note, "voice", 1)
    if sign.type is not None:
        _add(note, "type", _TYPES[sign.type])
    for _ in range(sign.dots):
        _add(note, "dot")
    if accidental:
        _add(note, "accidental", accidental)
    if sign.tuplet:
        modification = _add(note, "time-modification")
        _add(modification, "actual-notes", sign.tuplet[0])
        _add(modification, "normal-notes", sign.tuplet[1])
    for level, beam in enumerate(sign.beams, 1):
        _add(note, "beam", beam, number=str(level))
    if ties or sign.bracket or sign.fermata:
        notations = _add(note, "notations")
        for tie in ties:
            _add(notations, "tied", type=tie)
        for edge in sign.bracket:
            _add(notations, "tuplet", type=edge)
        if sign.fermata:
            _add(notations, "fermata")
    return note


def _bars(piece: Piece, events: list[tuple[int, int, int, bool]], bars: range) -> Iterator[list[_Sign]]:
    """The signs of each bar of one voice."""
    halts = [start for start, _ in runs(piece.fermata)]
    beat = _beat(piece)
    event = 0
    for bar in bars:
        begin, end = max(bar, 0), min(bar + piece.bar_steps, len(piece))
        signs: list[_Sign] = []
        while event < len(events) and events[event][1] < end:
            pitch, a, b, held = events[event]
            start, stop = max(a, begin), min(b, end)
            if pitch == REST and (start, stop) == (bar, bar + piece.bar_steps):
                written = [_Sign(REST, start - bar, stop - start, None, 0, None)]
            else:
                written = _values(pitch, start - bar, stop - bar, piece.steps_per_quarter, beat)
            for sign in written:
                at = bar + sign.start
                if pitch != REST:
                    sign.carried = at > a
                    sign.tied_from = held or sign.carried
                    sign.tied_to = at + sign.steps < b
                sign.fermata = bisect_left(halts, at) < bisect_left(halts, at + sign.steps)
            signs += written
            if b > end:
                break
            event += 1
        _beam(signs, beat)
        _bracket(signs, piece.steps_per_quarter)
        yield signs


def _beat(piece: Piece) -> int:
    """Steps that one beam spans: three units in compound metres, else a quarter; a bar where that is no whole step."""
    beats, unit = piece.time_signature
    units = 3 if unit >= 8 and beats % 3 == 0 else max(1, unit // 4)
    steps, left = divmod(units * 4 * piece.steps_per_quarter, unit)
    return piece.bar_steps if left else steps


def _values(pitch: int, start: int, stop: int, quarter: int, beat: int) -> list[_Sign]:
    """Steps ``start`` to ``stop`` of a bar as written values, each a type with dots, in a tuplet where need be."""
    odd = quarter // (quarter & -quarter)
    actual = odd // math.gcd(odd, start, stop)
    if actual > 1 and start // quarter != (stop - 1) // quarter:
        cut = (start // quarter + 1) * quarter  # a tuplet stays within its quarter
    else:
        # How many of the smallest written values: a quarter has `smallest` of them.
        normal = 1 << (actual.bit_length() - 1)
        smallest = quarter // odd * normal
        count = (stop - start) * actual // odd
        size = count.bit_length() - 1
        dots = {1: 0, 3: 1, 7: 2}.get(count // (count & -count))
        kind = _TYPES.index("quarter") + smallest.bit_length() - 1 - size
        crossing = actual == 1 and start // beat != (stop - 1) // beat
        if pitch == REST:  # rests show the beats: dots only for whole beats of compound metres
            compound = beat // odd & (beat // odd - 1)  # not a power of two
            tidy = dots == 0 or (dots == 1 and compound and (stop - start) % beat == 0)
            tidy = tidy and not (crossing and start % beat)
        else:  # a note may cross a beat from the beat or from its half
            tidy = dots is not None and not (crossing and start * 2 % beat) and not (dots == 2 and start % beat)
        if tidy and kind >= 0:
            return [_Sign(pitch, start, stop - start, kind, dots, (actual, normal) if actual > 1 else None)]
        cut = start + (1 << size) * odd // actual if actual > 1 else _strongest(start, stop, beat, odd)
    return _values(pitch, start, cut, quarter, beat) + _values(pitch, cut, stop, quarter, beat)


def _strongest(start: int, stop: int, beat: int, finest: int) -> int:
    """The step strictly between ``start`` and ``stop`` that weighs most in the bar: there a long value is divided.

    finest: steps of the shortest value that needs no tuplet; both ends are multiples of it.
    """
    unit = beat if (stop - 1) // beat > start // beat else finest
    weight = lambda n: (n & -n, -n)  # noqa: E731 (halves of the bar before beats, beats before their parts)
    return unit * max(range(start // unit + 1, -(-stop // unit)), key=weight)


def _beam(signs: list[_Sign], beat: int) -> None:
    """Beams over eighths and shorter notes of one beat."""
    eighth = _TYPES.index("eighth")
    group: list[_Sign] = []
    for sign in [*signs, None]:
        flagged = sign is not None and sign.pitch != REST and sign.type >= eighth
        if group and not (flagged and sign.start // beat == group[0].start // beat):
            flags = [s.type - eighth + 1 for s in group]
            for n, own in enumerate(flags if len(group) > 1 else []):
                before, after = flags[n - 1] if n else 0, flags[n + 1] if n + 1 < len(flags) else 0
                for level in range(1, own + 1):
                    left, right = before >= level, after >= level
                    hook = "forward hook" if n == 0 else "backward hook"
                    name = {(True, True): "continue", (False, True): "begin", (True, False): "end"}
                    group[n].beams.append(name.get((left, right), hook))
            group = []
        if flagged:
            group.append(sign)


def _bracket(signs: list[_Sign], quarter: int) -> None:
    """Marks where tuplets begin and end: neighbours of one ratio within a quarter belong together."""
    place = lambda sign: (sign.start // quarter, sign.tuplet)  # noqa: E731
    for (_, ratio), group in itertools.groupby(signs, key=place):
        if ratio:
            members = list(group)
            members[0].bracket.append("start")
            members[-1].bracket.append("stop")


def musicxml_native(piece: Piece) -> dict[str, object]:
    """What a reader finds in the native elements of ``musicxml(piece)``."""
    return {
        "title": clean(piece.title),
        "key": None if piece.key is None else key_of_signature(key_fifths(piece.key), piece.key.split(" ")[1]),
        "tempo": piece.tempo,
        "time_signature": piece.time_signature,
        "voices": tuple(clean(name) for name in piece.voices),
    }


def musicxml_raw(text: str) -> Raw:
    """A MusicXML score as it stands: each staff of a part is divided by its voices. Sounding pitches.

    Grace notes, cue notes and unpitched notes are left out, repeats are not expanded. The first
    tempo, key and time signature count. A first measure shorter than a bar is a pickup.
    Raises UnreadableFile, NotMusic.
    """
    if "<!ENTITY" in text or "<!ATTLIST" in text:  # a few lines of these can grow to gigabytes
        raise UnreadableFile("it defines XML entities or attributes of its own, which no score needs. Export it anew.")
    tags = text.count("<")
    if tags > _MAX_TAGS:
        raise TooLarge(f"it has {tags} XML tags; up to {_MAX_TAGS} are read. Leave parts out, or cut it.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableFile(f"as XML it is damaged ({error}). Export or download the file anew.") from error
    parts: dict[str, list[ElementTree.Element]] = defaultdict(list)
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            parts[part.get("id", "")] += part.iterfind("measure")
    elif root.tag == "score-timewise":
        for measure in root.iterfind("measure"):
            for part in measure.iterfind("part"):
                parts[part.get("id", "")].append(part)
    else:
        raise NotMusic(f"it is XML, but of <{root.tag[:40]}>, not a MusicXML score. Choose another file.")
    if len(parts) > MAX_VOICES:
        raise TooLarge(f"it has {len(parts)} parts; up to {MAX_VOICES} are read. Leave parts out.")
    raw = Raw([])
    raw.title = clean(root.findtext("work/work-title") or root.findtext("movement-title") or "")
    raw.facts = root.findtext(f"identification/miscellaneous/miscellaneous-field[@name='{MARK}']")
    raw.tempo = _first_tempo(root)
    names = {e.get("id", ""): clean(e.findtext("part-name") or "") for e in root.iterfind("part-list/score-part")}
    scores = [_Reader(measures, exact=raw.facts is not None) for measures in parts.values()]
    spans = [max(lengths) for lengths in itertools.zip_longest(*(s.lengths for s in scores), fillvalue=0.0)]
    begins = list(itertools.accumulate(spans, initial=0.0))
    raw.length = begins[-1]
    for name, score in zip(parts, scores, strict=True):
        raw.parts.append(Part(names.get(name, ""), score.streams(begins)))
    symbols = next((score.symbols for score in scores if score.symbols), [])
    raw.chords = [(begins[measure] + now, text) for measure, now, text in symbols]
    # The fermatas of the highest part that has any: they stand for those of the others.
    raw.fermatas = next((score.fermatas for score in scores if score.fermatas), [])
    _facts_of_measures(raw, scores, spans)
    return raw


def _number(text: str | None, name: str, low: float, high: float) -> float:
    """A number from the file. Raises UnreadableFile where it is none or lies outside low..high."""
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise UnreadableFile(f"{name} is '{(text or '')[:40]}'; it must be a number {low:g}..{high:g}. Export it anew.")
    return number


class _Event(NamedTuple):
    """A note of a measure: times in quarters from the measure's beginning."""

    measure: int
    start: float
    end: float
    pitch: int
    stream: tuple[int, str]  # staff, voice
    ties: set[str]
    fermata: bool


class _Reader:
    """One part: its notes by measure, the measures' lengths, its keys and time signatures."""

    def __init__(self, measures: list[ElementTree.Element], exact: bool) -> None:
        """exact: the lengths of measures are meant as they stand; else small misfits are taken for rounding."""
        self.events: list[_Event] = []
        self.lengths: list[float] = []
        self.fermatas: list[float] = []
        self.symbols: list[tuple[int, float, str]] = []  # measure, quarters from its beginning, chord symbol
        self.key: tuple[int, str | None] | None = None
        self.metres: list[tuple[int, int]] = []
        self.transposition = 0
        self._divisions = 1.0
        self._bar = math.inf
        self._exact = exact
        for number, measure in enumerate(measures):
            self.lengths.append(self._measure(number, measure))

    def _measure(self, number: int, measure: ElementTree.Element) -> float:
        """Reads one measure; its length in quarters. A grace note takes no time."""
        now = begun = sounding = silent = 0.0
        for element in measure:
            if element.tag == "attributes":
                self._attributes(element)
            elif element.tag == "harmony":
                self.symbols.append((number, now, self._symbol(element)))
            elif element.tag in ("note", "backup", "forward") and element.find("grace") is None:
                quarters = _number(element.findtext("duration"), "a duration", 0, 1e9) / self._divisions
                if element.tag == "backup":
                    now = max(0.0, now - quarters)
                    continue
                if element.find("chord") is None:
                    begun, now = now, now + quarters
                if element.find("pitch") is not None and element.find("cue") is None:
                    self.events.append(self._event(number, element, begun, begun + quarters))
                    sounding = max(sounding, begun + quarters)
                else:
                    silent = max(silent, now)
        # Many a program gives a rest of a whole bar a wrong length.
        length = max(sounding, min(silent, self._bar))
        return self._bar if not self._exact and abs(length - self._bar) < _ROUNDING else length

    def _attributes(self, element: ElementTree.Element) -> None:
        divisions = element.findtext("divisions")
        if divisions is not None:
            self._divisions = _number(divisions, "divisions", 1e-6, 1e6)
        fifths = element.findtext("key/fifths")
        if fifths is not None and self.key is None:
            self.key = (int(_number(fifths, "fifths", -20, 20)), element.findtext("key/mode"))
        beats, unit = element.findtext("time/beats"), element.findtext("time/beat-type")
        if beats is not None and unit is not None:
            count = sum(int(_number(b, "beats", 0, 999)) for b in beats.split("+"))
            self.metres.append((count, int(_number(unit, "beat-type", 1, 999))))
            self._bar = count * 4 / self.metres[-1][1] or math.inf
        if element.find("transpose") is not None:
            chromatic = _number(element.findtext("transpose/chromatic", "0"), "transpose", -120, 120)
            octaves = _number(element.findtext("transpose/octave-change", "0"), "octave-change", -10, 10)
            self.transposition = round(chromatic + 12 * octaves)

    def _symbol(self, harmony: ElementTree.Element) -> str:
        """A chord symbol as text: its root as it sounds, ``m`` for the kinds that have a minor third."""
        kind, root = harmony.findtext("kind", "").strip(), harmony.findtext("root/root-step", "").strip()
        if kind == "none" or root not in LETTERS:
            return "N.C."
        alter = _number(harmony.findtext("root/root-alter", "0"), "root-alter", -2, 2)
        name = PITCH_CLASSES[round(LETTERS[root] + alter + self.transposition) % 12]
        return name + "m" * kind.startswith(("minor", "diminished", "half-diminished"))

    def _event(self, number: int, note: ElementTree.Element, start: float, end: float) -> _Event:
        step = note.findtext("pitch/step", "").strip()
        if step not in LETTERS:
            raise UnreadableFile(f"a note has the step '{step[:20]}'; it must be a letter A..G. Export it anew.")
        octave = _number(note.findtext("pitch/octave"), "an octave", -9, 19)
        alter = _number(note.findtext("pitch/alter", "0"), "alter", -12, 12)
        pitch = math.floor(12 * (octave + 1) + LETTERS[step] + alter + 0.5) + self.transposition
        staff = int(_number(note.findtext("staff", "1"), "staff", 0, 999))
        ties = {tie.get("type", "") for path in ("tie", "notations/tied") for tie in note.iterfind(path)}
        fermata = note.find("notations/fermata") is not None
        return _Event(number, start, end, pitch, (staff, note.findtext("voice", "1").strip()), ties, fermata)

    def streams(self, begins: list[float]) -> list[list[RawNote]]:
        """Notes with their ties joined, by staff and voice; the voices of a staff together where one has chords.

        begins: quarters at which each measure begins. Fills ``fermatas``.
        """
        found: dict[tuple[int, str], list[RawNote]] = defaultdict(list)
        tied: dict[tuple[tuple[int, str], int], int] = {}
        for event in self.events:
            start, end = begins[event.measure] + event.start, begins[event.measure] + event.end
            line = found[event.stream]
            place = (event.stream, event.pitch)
            before = tied.pop(place, None) if "stop" in event.ties else None
            if before is not None and abs(line[before].end - start) < 1e-6:
                line[before] = line[before]._replace(end=end)
            else:
                before = len(line)
                line.append(RawNote(start, end, event.pitch, "stop" in event.ties and start == 0))
            if "start" in event.ties:
                tied[place] = before
            if event.fermata:
                self.fermatas.append(start)
        streams = []
        order = sorted(found, key=lambda stream: (stream[0], len(stream[1]), stream[1]))
        for _, staff in itertools.groupby(order, key=lambda stream: stream[0]):
            voices = [found[stream] for stream in staff]
            streams += voices if all(_one_at_a_time(voice) for voice in voices) else [list(itertools.chain(*voices))]
        return streams


def _one_at_a_time(notes: list[RawNote]) -> bool:
    ordered = sorted(notes)
    return all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(ordered))


def _first_tempo(root: ElementTree.Element) -> float | None:
    """Quarters per minute as the first tempo mark has it."""
    sound = next((e for e in root.iter("sound") if e.get("tempo")), None)
    if sound is not None:
        return _number(sound.get("tempo"), "tempo", 0, 1e6)
    mark = next((e for e in root.iter("metronome") if e.findtext("per-minute") and e.findtext("beat-unit")), None)
    digits = re.search(r"\d+(\.\d+)?", mark.findtext("per-minute", "")) if mark is not None else None
    if mark is None or digits is None or mark.findtext("beat-unit") not in _TYPES:
        return None
    quarters = 2.0 ** (_TYPES.index("quarter") - _TYPES.index(mark.findtext("beat-unit", "")))
    return float(digits[0]) * quarters * (1.5 if mark.find("beat-unit-dot") is not None else 1.0)


def _facts_of_measures(raw: Raw, scores: list[_Reader], spans: list[float]) -> None:
    """Key, time signature and pickup of the score from those of its parts."""
    signed = next((score.key for score in scores if score.key and not score.transposition), None)
    if signed:
        fifths, mode = signed
        notes = [note for part in raw.parts for stream in part.streams for note in stream]
        if mode is None and raw.facts is None and notes:
            # Without a mode the last bass note decides between major and its relative minor.
            last = max(note.end for note in notes)
            bass = min(note.pitch for note in notes if note.end == last)
            relative = key_of_signature(fifths, "minor")
            mode = "minor" if relative and pitch_class(relative) == bass % 12 else "major"
        raw.key = key_of_signature(fifths, (mode or "").strip().lower())
    metres = next((score.metres for score in scores if score.metres), [])
    if metres:
        raw.keep_metre(metres[0], metres[1:])
        if len(spans) > 1 and spans[0] < metres[0][0] * 4 / metres[0][1] - 1e-6:
            raw.pickup = spans[0]
