"""Files: exact round trips, foreign files, bad files."""

import base64
import io
import json
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.music import files
from course_lib.music.datasets import chorales
from course_lib.music.errors import (
    EmptyScore,
    MusicError,
    MusicWarning,
    NotMusic,
    PitchOutOfRange,
    SeveralTunes,
    TooLarge,
    TooLong,
    UnreadableFile,
    WrongMetre,
)
from course_lib.music.files import midi_bytes, musicxml, read, read_bytes, read_many, write_midi, write_musicxml
from course_lib.music.piece import REST, Note, Piece
from tests.strategies import pieces

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # control characters and surrogates too


def line(*pitches: int, steps: int = 4, **facts: object) -> Piece:
    """A voice of equally long notes; REST for a rest."""
    notes = [Note(0, pitch, n * steps, steps) for n, pitch in enumerate(pitches) if pitch != REST]
    return Piece.from_notes(notes, len(pitches) * steps, facts.pop("voices", 1), **facts)


def starts(piece: Piece) -> list[tuple[int, int, int, int]]:
    return [(note.voice, note.start, note.length, note.pitch) for note in piece.notes()]


def midi(*tracks: list, kind: int = 1, quarter: int = 480) -> bytes:
    out = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=quarter, tracks=[mido.MidiTrack(track) for track in tracks]).save(file=out)
    return out.getvalue()


def on(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=64, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def note(name: str, duration: float, extra: str = "", chord: bool = False) -> str:
    alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(name[1:-1], "")
    pitch = f"<pitch><step>{name[0]}</step>{alter}<octave>{name[-1]}</octave></pitch>"
    return f"<note>{'<chord/>' if chord else ''}{pitch}<duration>{duration}</duration>{extra}</note>"


def score(*parts: list[str], metre: str = "4/4", divisions: int = 4, attributes: str = "") -> str:
    """MusicXML as other programs write it: for each part a list of measures."""
    beats, unit = metre.split("/")
    head = (
        f"<attributes><divisions>{divisions}</divisions>"
        f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>{attributes}</attributes>"
    )
    names = "".join(f'<score-part id="P{n}"><part-name>Part {n}</part-name></score-part>' for n in range(len(parts)))
    body = ""
    for n, measures in enumerate(parts):
        inner = "".join(f"<measure>{'' if i else head}{measure}</measure>" for i, measure in enumerate(measures))
        body += f'<part id="P{n}">{inner}</part>'
    return f"<score-partwise><part-list>{names}</part-list>{body}</score-partwise>"


# ---- round trips -------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(pieces(text=ANY_TEXT))
def test_midi_round_trip(piece: Piece) -> None:
    assert read_bytes(midi_bytes(piece)) == piece


@settings(deadline=None)
@given(pieces(text=ANY_TEXT))
def test_musicxml_round_trip(piece: Piece) -> None:
    assert read_bytes(musicxml(piece).encode()) == piece


@settings(deadline=None, max_examples=10)
@given(pieces(voices=(17, 40), text=ANY_TEXT))
def test_many_voices_round_trip(piece: Piece) -> None:
    assert read_bytes(midi_bytes(piece)) == piece
    assert read_bytes(musicxml(piece).encode()) == piece


def test_real_chorales_round_trip() -> None:
    for piece in chorales().test[:25]:
        assert read_bytes(midi_bytes(piece)) == piece
        assert read_bytes(musicxml(piece).encode()) == piece


def test_files_speak_natively() -> None:
    """What other programs see: the same files without the facts that only this library reads."""
    for piece in chorales().test[:25]:
        from_midi = read_bytes(midi_bytes(piece).replace(b"course_lib {", b"other_prog {"))
        from_xml = read_bytes(re.sub("<miscellaneous>.*?</miscellaneous>", "", musicxml(piece)).encode())
        for found in (from_midi, from_xml):
            assert (found.pitch == piece.pitch).all()
            assert (found.onset == piece.onset).all()
            assert (found.title, found.key, found.voices) == (piece.title, piece.key, piece.voices)
            assert (found.time_signature, found.pickup) == (piece.time_signature, piece.pickup)
            assert found.tempo == pytest.approx(piece.tempo)
        assert from_xml.fermata.any() == piece.fermata.any()


@pytest.mark.parametrize("write", [write_midi, write_musicxml])
def test_on_disk(tmp_path: Path, write: Callable[[Piece, Path], Path]) -> None:
    piece = chorales().test[0]
    path = write(piece, tmp_path / "piece.txt")  # the content counts, not the name
    assert read(path) == read(str(path)) == read_bytes(memoryview(path.read_bytes())) == piece
    assert [file.name for file in tmp_path.iterdir()] == ["piece.txt"]


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_midi(line(60), tmp_path / "piece.mid")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_midi(line(62), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["piece.mid"]


def test_what_another_program_changed_counts() -> None:
    piece = line(60, 62, title="Old", key="C major", voices=("Flute",), fermata=np.arange(8) == 4)
    text = musicxml(piece)
    renamed = read_bytes(text.replace("<work-title>Old", "<work-title>New").encode())
    assert (renamed.title, renamed.voices, renamed.fermata.sum()) == ("New", ("Flute",), 1)
    slower = read_bytes(text.replace('tempo="80.0"', 'tempo="50"').encode())
    assert (slower.tempo, slower.title) == (50, "Old")
    moved = read_bytes(text.replace("<octave>4", "<octave>5").encode())
    assert [n.pitch for n in moved.notes()] == [72, 74]


def test_another_grid() -> None:
    piece = line(60, 62, 64, steps=2, pickup=2, fermata=np.arange(6) == 4)
    for data in (midi_bytes(piece), musicxml(piece).encode()):
        fine = read_bytes(data, steps_per_quarter=12)
        assert starts(fine) == [(0, 0, 6, 60), (0, 6, 6, 62), (0, 12, 6, 64)]
        assert (fine.steps_per_quarter, fine.pickup, list(np.flatnonzero(fine.fermata))) == (12, 6, [12])
    with pytest.warns(MusicWarning, match="1 of 3 notes .*, 1 left out"):
        assert [n.pitch for n in read_bytes(midi_bytes(piece), steps_per_quarter=1).notes()] == [60, 64]
    silent = read_bytes(midi_bytes(line(REST)), steps_per_quarter=2)
    assert (len(silent), silent.notes()) == (2, [])


# ---- MusicXML as engravers want it -------------------------------------------------------------------------------

TYPES = ["breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th", "256th", "512th", "1024th"]


@settings(deadline=None)
@given(pieces())
def test_written_values_add_up(piece: Piece) -> None:
    """Type, dots and tuplet say the same as the duration, bars are full, beams and tuplets are closed."""
    for part in ElementTree.fromstring(musicxml(piece)).iterfind("part"):
        lengths = []
        for measure in part.iterfind("measure"):
            beams: dict[str, str] = {}
            tuplet = False
            length = 0
            for element in measure.iterfind("note"):
                duration = int(element.findtext("duration"))
                length += duration
                kind = element.findtext("type")
                if kind is None:
                    assert element.find("rest").get("measure") == "yes"
                    assert duration == piece.bar_steps
                    continue
                value = Fraction(8) / 2 ** TYPES.index(kind)
                value *= 2 - Fraction(1, 2 ** len(element.findall("dot")))
                actual = int(element.findtext("time-modification/actual-notes", "1"))
                value *= Fraction(int(element.findtext("time-modification/normal-notes", "1")), actual)
                assert value * piece.steps_per_quarter == duration
                for edge in element.iterfind("notations/tuplet"):
                    assert (edge.get("type") == "start") != tuplet
                    tuplet = not tuplet
                assert tuplet or actual == 1 or element.find("notations/tuplet") is not None
                found = {beam.get("number"): beam.text for beam in element.iterfind("beam")}
                for level, state in found.items():
                    assert (state in ("continue", "end")) == (beams.get(level) in ("begin", "continue"))
                assert all(state not in ("begin", "continue") or level in found for level, state in beams.items())
                beams = found
            assert not tuplet
            assert all(state in ("end", "forward hook", "backward hook") for state in beams.values())
            lengths.append(length)
        assert sum(lengths) == len(piece)
        inner = lengths[1:-1] if piece.pickup else lengths[:-1]
        assert all(length == piece.bar_steps for length in inner)
        if piece.pickup and len(lengths) > 1:
            assert lengths[0] == piece.pickup


@settings(deadline=None, max_examples=30)
@given(
    pieces(steps_per_quarter=st.sampled_from((1, 2, 4, 8))).filter(lambda p: p.time_signature[1] in (2, 4, 8)),
)
def test_verovio_plays_the_same(piece: Piece) -> None:
    """An independent reader finds every note where it is."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadData(musicxml(piece))
    sounding = []
    for track in mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI()))).tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding.append((round(now / 120 * piece.steps_per_quarter), message.note))
    assert sorted(sounding) == sorted((n.start, n.pitch) for n in piece.notes())


def test_music21_reads_the_same() -> None:
    import music21

    piece = chorales().test[0]
    parsed = music21.converter.parseData(musicxml(piece), format="musicxml")
    assert [part.partName for part in parsed.parts] == list(piece.voices)
    for voice, part in enumerate(parsed.parts):
        found = [(n.offset * 4, n.quarterLength * 4, n.pitch.midi) for n in part.stripTies().flatten().notes]
        assert found == [(n.start, n.length, n.pitch) for n in piece.notes() if n.voice == voice]
    assert parsed.parts[0].recurse().getElementsByClass("Key").first().name == piece.key.replace("b ", "- ")


def spelt(piece: Piece) -> list[str]:
    """Names as written, then the accidental that is drawn, if any."""
    found = []
    for element in ElementTree.fromstring(musicxml(piece)).iter("note"):
        alter = {None: "", "1": "#", "-1": "b", "2": "##", "-2": "bb"}[element.findtext("pitch/alter")]
        drawn = element.findtext("accidental", "")
        name = element.findtext("pitch/step") + alter + element.findtext("pitch/octave")
        found.append(f"{name} {drawn}".strip())
    return found


def test_spelling_follows_the_key() -> None:
    assert spelt(line(66, 67, key="G major")) == ["F#4", "G4"]
    assert spelt(line(70, 69, key="F major")) == ["Bb4", "A4"]
    assert spelt(line(68, 69, key="A minor")) == ["G#4 sharp", "A4"]  # the raised leading note
    assert spelt(line(66, 67, key="G minor")) == ["F#4 sharp", "G4"]
    assert spelt(line(65, 66, key="F# major")) == ["E#4", "F#4"]
    assert spelt(line(59, 71, key="Cb major")) == ["Cb4", "Cb5"]
    assert spelt(line(67, 68, key="G# minor")) == ["F##4 double-sharp", "G#4"]
    assert spelt(line(61, 63, 66, 68, 70)) == ["C#4 sharp", "Eb4 flat", "F#4 sharp", "Ab4 flat", "Bb4 flat"]


def test_accidentals_last_for_a_bar() -> None:
    piece = line(66, 66, 65, 65, 66, 65, key="C major", time_signature=(4, 4))
    assert spelt(piece) == ["F#4 sharp", "F#4", "F4 natural", "F4", "F#4 sharp", "F4 natural"]
    tied = Piece.from_notes([Note(0, 66, 12, 8), Note(0, 66, 20, 4)], 24, 1, key="C major")
    assert spelt(tied.window(12, 12)) == ["F#4 sharp", "F#4", "F#4 sharp"]


def test_ties_pickup_and_end() -> None:
    piece = Piece.from_notes([Note(0, 60, 0, 2, held=True), Note(0, 62, 2, 10)], 24, 1, pickup=4)
    root = ElementTree.fromstring(musicxml(piece))
    first, second, third = root.iter("measure")
    assert (first.get("number"), first.get("implicit"), second.get("number")) == ("0", "yes", "1")
    ties = [[tie.get("type") for tie in element.iterfind("tie")] for element in root.iter("note")]
    assert ties == [["stop"], ["start"], ["stop"], [], []]  # held start; tie over the bar line; rests
    assert [e.find("barline") is not None for e in (first, second, third)] == [False, False, True]


def values(piece: Piece) -> list[str]:
    """Written values: type, a point for each dot, the number of the tuplet."""
    return [
        element.findtext("type", "bar")
        + "." * len(element.findall("dot"))
        + element.findtext("time-modification/actual-notes", "")
        for element in ElementTree.fromstring(musicxml(piece)).iter("note")
    ]


def test_values_show_the_beat() -> None:
    syncopated = Piece.from_notes([Note(0, 60, 2, 4), Note(0, 60, 6, 5)], 16, 1)
    assert values(syncopated) == ["eighth", "quarter", "eighth", "eighth.", "16th", "quarter"]
    triplets = Piece.from_notes([Note(0, 60, n, 1) for n in range(3)], 12, 1, steps_per_quarter=3)
    assert values(triplets) == ["eighth3"] * 3 + ["quarter", "half"]
    compound = Piece.from_notes([Note(0, 60, 0, 15)], 36, 1, steps_per_quarter=12, time_signature=(6, 8))
    assert values(compound) == ["quarter", "16th", "16th", "quarter."]
    assert values(line(60, steps=14)) == ["half.."]
    # A tuplet across a short beat.
    crossing = Piece.from_notes([Note(0, 60, 8, 2)], 18, 1, steps_per_quarter=12, time_signature=(6, 16))
    assert read_bytes(musicxml(crossing).encode()) == crossing


def test_clefs() -> None:
    piece = Piece.from_notes([Note(v, pitch, 0, 4) for v, pitch in enumerate((72, 65, 57, 48))], 4, 4)
    clefs = [
        "".join(clef.findtext(tag, "") for tag in ("sign", "line", "clef-octave-change"))
        for clef in ElementTree.fromstring(musicxml(piece)).iter("clef")
    ]
    assert clefs == ["G2", "G2", "G2-1", "F4"]


# ---- MIDI of other programs --------------------------------------------------------------------------------------


def test_midi_native_events() -> None:
    piece = line(60, 62, 64, title="Título", key="F# minor", time_signature=(3, 4), pickup=4, tempo=90, voices=("Ü",))
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(piece)), charset="utf-8")
    head = {message.type: message for message in file.tracks[0]}
    assert head["track_name"].name == "Título"
    assert head["key_signature"].key == "F#m"
    assert head["set_tempo"].tempo == 666_667
    metres = [m for m in file.tracks[0] if m.type == "time_signature"]
    assert [(m.numerator, m.denominator, m.time) for m in metres] == [(1, 4, 0), (3, 4, 480)]
    assert file.tracks[1].name == "Ü"
    assert json.loads(head["text"].text.removeprefix("course_lib "))["pickup"] == 4


def test_midi_type_0_is_divided_by_channel() -> None:
    track = [on(48, channel=1), on(72, channel=0), off(72, 480, 0), on(74, 0, 0), off(74, 480, 0), off(48, 0, 1)]
    piece = read_bytes(midi(track, kind=0))
    assert starts(piece) == [(0, 0, 4, 72), (0, 4, 4, 74), (1, 0, 8, 48)]


def test_midi_drums_are_left_out() -> None:
    drums = [on(36, channel=9), off(36, 480, 9)]
    assert starts(read_bytes(midi([], [on(60), off(60, 480)], drums))) == [(0, 0, 4, 60)]
    with pytest.raises(EmptyScore):
        read_bytes(midi([], drums))


def test_midi_voices_stand_high_to_low() -> None:
    names = [[mido.MetaMessage("track_name", name=name)] for name in ("Low", "High")]
    piece = read_bytes(midi([], names[0] + [on(50), off(50, 480)], names[1] + [on(70), off(70, 480)]))
    assert (piece.voices, list(piece.pitch[0])) == (("High", "Low"), [70, 50])


def test_chords_are_divided_into_voices() -> None:
    chord = [on(60), on(64), on(67), off(60, 480), off(64), off(67)]
    # The bass stays; above it two voices move on by step.
    moved = [on(48), on(65), on(69), off(65, 240), off(69), on(64), on(67), off(64, 240), off(67), off(48)]
    piece = read_bytes(midi([], chord + moved))
    assert piece.pitch[:, 0].tolist() == [67] * 4 + [69] * 2 + [67] * 2
    assert piece.pitch[:, 1].tolist() == [64] * 4 + [65] * 2 + [64] * 2
    assert piece.pitch[:, 2].tolist() == [60] * 4 + [48] * 4


def test_a_chord_played_by_fingers() -> None:
    """Low notes first by some ticks, and longer: still high to low, and one chord."""
    data = midi([], [on(60), on(64, 7), on(67, 5), off(67, 440), off(64, 20), off(60, 10)])
    with pytest.warns(MusicWarning, match="2 of 3 notes start off the grid"):
        assert starts(read_bytes(data)) == [(0, 0, 4, 67), (1, 0, 4, 64), (2, 0, 4, 60)]


def test_unisons_and_repeated_notes_stay_apart() -> None:
    unison = read_bytes(midi([], [on(60), on(60), off(60, 480), off(60, 480)]))
    assert starts(unison) == [(0, 0, 8, 60), (1, 0, 4, 60)]
    repeated = read_bytes(midi([], [on(60), on(60, 480), off(60), off(60, 480)]))
    assert starts(repeated) == [(0, 0, 4, 60), (0, 4, 4, 60)]


def test_midi_notes_without_end_or_length_are_kept() -> None:
    piece = read_bytes(midi([], [on(60), off(60), on(62, 480), off(62, 480)]))
    assert starts(piece) == [(0, 0, 1, 60), (0, 4, 4, 62)]
    open_end = read_bytes(midi([], [on(60), mido.MetaMessage("end_of_track", time=960)]))
    assert starts(open_end) == [(0, 0, 8, 60)]


def test_legato_overlaps_make_no_second_voice() -> None:
    piece = read_bytes(midi([], [on(60), on(62, 480), off(60, 20), off(62, 460)]))
    assert starts(piece) == [(0, 0, 4, 60), (0, 4, 4, 62)]


def test_off_the_grid() -> None:
    triplets = midi([], [m for p in (60, 62, 64) for m in (on(p), off(p, 160))])
    with pytest.warns(MusicWarning, match=r"2 of 3 notes start off the grid of 4 .* \(steps_per_quarter=3 would"):
        coarse = read_bytes(triplets, "triplets.mid")
    assert [n.pitch for n in coarse.notes()] == [60, 62, 64]  # no note vanishes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = read_bytes(triplets, steps_per_quarter=3)
    assert starts(exact) == [(0, 0, 1, 60), (0, 1, 1, 62), (0, 2, 1, 64)]


def test_notes_that_find_no_step_are_counted() -> None:
    run = midi([], [m for p in range(60, 68) for m in (on(p), off(p, 60))])  # eight 32nds
    with pytest.warns(
        MusicWarning, match="4 of 8 notes .*, 3 left out for want of a free step .steps_per_quarter=8 would"
    ):
        piece = read_bytes(run)
    assert [n.pitch for n in piece.notes()] == [60, 62, 64, 66, 67]
    assert len(piece.voices) == 1


def test_midi_pickup_and_change_of_metre() -> None:
    def metre(beats: int, unit: int, time: int = 0) -> mido.MetaMessage:
        return mido.MetaMessage("time_signature", numerator=beats, denominator=unit, time=time)

    notes = [m for p in range(60, 66) for m in (on(p), off(p, 480))]
    piece = read_bytes(midi([metre(1, 4), metre(3, 4, 480)], notes))
    assert (piece.time_signature, piece.pickup) == ((3, 4), 4)
    with pytest.warns(MusicWarning, match="changes 1 times .first to 2/4.; 3/4 is kept"):
        piece = read_bytes(midi([metre(3, 4), metre(2, 4, 1440)], notes))
    assert (piece.time_signature, piece.pickup) == ((3, 4), 0)


def test_midi_in_a_riff_envelope() -> None:
    inner = midi([], [on(60), off(60, 480)])
    data = b"RIFF" + (len(inner) + 12).to_bytes(4, "little") + b"RMIDdata" + len(inner).to_bytes(4, "little") + inner
    assert starts(read_bytes(data)) == [(0, 0, 4, 60)]


# ---- MusicXML of other programs ----------------------------------------------------------------------------------


def test_musicxml_voices_of_a_staff() -> None:
    measure = (
        note("C5", 8, "<voice>1</voice>")
        + note("D5", 8, "<voice>1</voice>")
        + "<backup><duration>16</duration></backup>"
        "<forward><duration>4</duration></forward>" + note("E5", 12, "<voice>2</voice>")
    )
    piece = read_bytes(score([measure]).encode())
    assert starts(piece) == [(0, 0, 8, 72), (0, 8, 8, 74), (1, 4, 12, 76)]  # they may cross
    assert piece.voices == ("Part 0 1", "Part 0 2")


def test_musicxml_chords_ties_and_what_is_left_out() -> None:
    tie = '<tie type="{}"/>'
    first = (
        "<harmony><root><root-step>C</root-step></root></harmony>"
        + "<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>"
        + note("C4", 16, tie.format("start"))
        + note("E4", 16, chord=True)
    )
    second = note("C4", 8, tie.format("stop")) + "<note><unpitched/><duration>4</duration></note>" + note("Bb3", 4)
    piece = read_bytes(score([first, second]).encode())
    assert starts(piece) == [(0, 0, 16, 64), (1, 0, 24, 60), (1, 28, 4, 58)]


def test_musicxml_sounds_as_transposed() -> None:
    transpose = "<transpose><chromatic>-2</chromatic></transpose><key><fifths>2</fifths></key>"
    piece = read_bytes(score([note("D5", 16)], attributes=transpose).encode())
    assert (starts(piece), piece.key) == ([(0, 0, 16, 72)], None)


def test_musicxml_key_without_a_mode() -> None:
    key = "<key><fifths>0</fifths></key>"
    assert read_bytes(score([note("A3", 16)], attributes=key).encode()).key == "A minor"
    assert read_bytes(score([note("G3", 16)], attributes=key).encode()).key == "C major"


def test_musicxml_parts_stay_together() -> None:
    """A rest of a whole bar with a wrong length, and a bar that is too short, shift nothing."""
    rest = '<note><rest measure="yes"/><duration>32</duration></note>'
    upper, lower = [rest, note("C5", 16)], [note("C4", 12), note("D4", 16)]
    assert starts(read_bytes(score(upper, lower).encode())) == [(0, 16, 16, 72), (1, 0, 12, 60), (1, 16, 16, 62)]


def test_musicxml_pickup_and_repeats_as_written() -> None:
    repeat = '<barline location="right"><repeat direction="backward"/></barline>'
    piece = read_bytes(score([note("C4", 4), note("D4", 16) + repeat]).encode())
    assert (starts(piece), piece.pickup) == ([(0, 0, 4, 60), (0, 4, 16, 62)], 4)


def test_musicxml_timewise_compressed_and_utf16() -> None:
    text = score([note("C4", 16)])
    timewise = (
        "<score-timewise><part-list/><measure><part id='P0'><attributes><divisions>1</divisions></attributes>"
        + note("C4", 4)
        + "</part></measure></score-timewise>"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("META-INF/container.xml", '<rootfile full-path="a &amp; b.xml" media-type=""/>')
        archive.writestr("other.xml", "<nothing/>")
        archive.writestr("a & b.xml", text)
    wide = ('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16")
    for data in (timewise.encode(), packed.getvalue(), wide, b"\xef\xbb\xbf" + text.encode()):
        assert starts(read_bytes(data)) == [(0, 0, 16, 60)]


@pytest.mark.parametrize("name", ["bwv66.6", "bwv10.7", "bwv253"])
def test_corpus_chorales_as_music21_reads_them(name: str) -> None:
    import music21

    path = music21.corpus.getWork(f"bach/{name}")
    parsed = music21.converter.parse(path, forceSource=True)
    piece = read(path)
    for voice, part in enumerate(parsed.parts):
        found = [(n.offset * 4, n.pitch.midi) for n in part.stripTies().flatten().notes]
        assert found == [(n.start, n.pitch) for n in piece.notes() if n.voice == voice]
    first = parsed.parts[0].getElementsByClass("Measure").first()
    assert piece.pickup == (first.duration.quarterLength * 4 if first.paddingLeft else 0)


# ---- ABC ---------------------------------------------------------------------------------------------------------


def tune(body: str, key: str = "C", metre: str = "4/4", unit: str = "1/4", head: str = "") -> bytes:
    return f"X:1\nT:Probe\nM:{metre}\nL:{unit}\n{head}K:{key}\n{body}\n".encode()


def pitches(data: bytes) -> list[int]:
    return [n.pitch for n in read_bytes(data).notes()]


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("C c C, c' B,,", "C", [60, 72, 48, 84, 47]),
        ("F C G", "D", [66, 61, 67]),
        ("B E", "Gm", [70, 63]),
        ("F C", "Ddor", [65, 60]),
        ("f c", "HP", [78, 73]),
        ("C F", "D =c", [60, 66]),
        ("^F F f | F", "C", [66, 66, 78, 65]),  # to the end of the bar, in every octave
        ("_B =B ^^C __D", "F", [70, 71, 62, 60]),
        ("^F- | F F", "C", [66, 65]),  # a tie carries the accidental on
        ('"Am"A !trill!B {cd}e | ~f Tg', "C", [69, 71, 76, 77, 79]),
        ("A & c d | e", "C", [69, 76]),
        ("A % c d\nw: c d e\n%%text c\nB", "C", [69, 71]),
    ],
)
def test_abc_pitches(body: str, key: str, expected: list[int]) -> None:
    assert pitches(tune(body, key)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("A B2 c/ d// e3/2 f3/ | g", [16, 32, 8, 4, 24, 24, 16]),
        ("A>B c<d e>>f", [24, 8, 8, 24, 28, 4]),
        ("A>(B c)<d", [24, 8, 8, 24]),  # slurs do not matter
        ("(3ABc d", [11, 10, 11, 16]),
        ("(3:2:2AB c", [11, 10, 16]),
        ("A z2 x B Z c", [16, 16, 16]),
        ("A-A B-|B", [32, 32]),
        ("[L:1/8]A [L:1/2]B", [8, 32]),
    ],
)
@pytest.mark.filterwarnings("ignore::course_lib.music.files.MusicWarning")
def test_abc_lengths(body: str, expected: list[int]) -> None:
    found = [n.length for n in read_bytes(tune(body), steps_per_quarter=16).notes()]
    assert found == expected


def test_abc_facts() -> None:
    piece = read_bytes(tune("c|GABc|!fermata!d4|]", "Edor", "C|", head='Q:1/2=60 "slow"\n'))
    assert (piece.title, piece.key, piece.time_signature) == ("Probe", "E dorian", (2, 2))
    assert (piece.tempo, piece.pickup, list(np.flatnonzero(piece.fermata))) == (120, 4, [20])


def test_abc_chords_and_voices() -> None:
    chords = read_bytes(tune("[CEG]2 [DF]/2 c"))
    assert sorted(starts(chords))[:1] == [(0, 0, 8, 67)]
    assert sorted(n.pitch for n in chords.notes()) == [60, 62, 64, 65, 67, 72]
    voices = read_bytes(tune("V:B\nC4|\nV:A\nc2d2|\n[V:B]D4|", head='V:A name="Flute"\nV:B octave=-1\n'))
    assert starts(voices) == [(0, 0, 8, 72), (0, 8, 8, 74), (1, 0, 16, 48), (1, 16, 16, 50)]
    assert voices.voices == ("Flute", "Part 2")


def test_abc_agrees_with_music21() -> None:
    import music21

    path = next(path for path in music21.corpus.getCorePaths() if path.name == "book1.abc")
    book = [f"X:{text}" for text in path.read_text("latin-1").split("\nX:")[1:6]]
    for text in book:
        parsed = music21.converter.parseData(f"%abc-2.1\n{text}", format="abc").stripTies().flatten().notes
        piece = read_bytes(text.encode(), steps_per_quarter=48)
        sounding = [n for n in parsed if not n.duration.isGrace]
        assert [(n.start, n.pitch) for n in piece.notes()] == [(round(n.offset * 48), n.pitch.midi) for n in sounding]


# ---- several at once ---------------------------------------------------------------------------------------------


def test_read_many_keeps_the_good_ones(tmp_path: Path) -> None:
    good = write_midi(line(60), tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(good.read_bytes()[:60])
    tunes = b"L:1/4\nX:1\nT:One\nK:C\nC\nX:2\nT:Two\nM:3\nD\nX:3\nT:Three\nK:C\nE\n"
    sources = [good, tmp_path / "bad.mid", tmp_path / "none.abc", ("tunes.abc", tunes), str(good)]
    found, errors = read_many(sources)
    assert [piece.title for piece in found] == ["", "One", "Three", ""]
    assert [n.length for n in found[1].notes()] == [4]
    assert [str(error).split(":")[0].split("/")[-1] for error in errors] == ["bad.mid", "none.abc", "tunes.abc, tune 2"]
    assert all(isinstance(error, UnreadableFile) for error in errors)


def test_one_is_asked_for_and_several_are_there() -> None:
    with pytest.raises(SeveralTunes, match="book.abc: it holds 2 tunes. Use read_many"):
        read_bytes(b"X:1\nK:C\nC\nX:2\nK:C\nD\n", "book.abc")


# ---- bad files ---------------------------------------------------------------------------------------------------

TEN_HOURS = midi([], [on(60), off(60, 480), on(62, 480 * 72_000), off(62, 480)])
BAD = {
    "truncated.mid": (midi_bytes(line(60, 62))[:-20], UnreadableFile, r"ends too early.*anew"),
    "header_only.mid": (midi_bytes(line(60))[:14], UnreadableFile, "ends too early"),
    "smpte.mid": (midi([], [on(60), off(60, 9)])[:12] + b"\xe7\x28" + midi([], [])[14:], UnreadableFile, "division"),
    "empty.mid": (midi([], []), EmptyScore, "no note.*Choose"),
    "empty.musicxml": (score([""]).encode(), EmptyScore, "no note"),
    "empty.abc": (b"X:1\nK:C\n", EmptyScore, "no note"),
    "nothing.mid": (b"", NotMusic, "is empty.*Choose"),
    "picture.mid": (b"\x89PNG\r\n\x1a\n" + bytes(100), NotMusic, r"neither MIDI .* nor ABC"),
    "page.xml": (b"<html><body>K: no</body></html>", NotMusic, "neither"),
    "svg.xml": (b"<svg><!-- <score-partwise --></svg>", NotMusic, "of <svg>"),
    "letter.txt": (b"Dear reader,\nhow are you?", NotMusic, "neither"),
    "truncated.xml": (musicxml(line(60)).encode()[:-90], UnreadableFile, "damaged.*anew"),
    "truncated.mxl": (b"PK\x03\x04" + bytes(50), UnreadableFile, "archive.*damaged"),
    "low.abc": (tune("C,,,,,,,"), PitchOutOfRange, r"pitch -24; MIDI holds 0..127. Transpose"),
    "high.xml": (score([note("C9", 4), note("A9", 4)]).encode().replace(b">9<", b">19<"), PitchOutOfRange, "0..127"),
    "ten_hours.mid": (TEN_HOURS, TooLong, r"lasts 10 hours \(288008 steps.*30000 steps \(1.04 hours\) are read. Cut"),
    "huge_delta.mid": (midi([], [on(60), off(60, 2**28 - 1)] * 3), TooLong, "hours"),
    "long.xml": (score([note("C4", 1e9)]).encode(), TooLong, "hours"),
    "long.abc": (tune("C9999 " * 20), TooLong, "hours"),
    "longer.abc": (tune("C99999999"), UnreadableFile, "length '99999999'.*1..9999"),
    "zero.abc": (tune("C/0"), UnreadableFile, "length"),
    "divisions.xml": (score([note("C4", 1)], divisions=0).encode(), UnreadableFile, "divisions is '0'.*1e-06..1e"),
    "nan.xml": (score([note("C4", float("nan"))]).encode(), UnreadableFile, "duration is 'nan'; .*number 0"),
    "step.xml": (score([note("H4", 1)]).encode(), UnreadableFile, "step 'H'.*A..G"),
    "entities.xml": (b'<!DOCTYPE a [<!ENTITY a "b">]><score-partwise>&a;</score-partwise>', UnreadableFile, "entit"),
    "defaults.xml": (b'<!DOCTYPE a [<!ATTLIST b c CDATA "d">]><score-partwise/>', UnreadableFile, "attributes"),
    "large.mid": (b"MThd" + bytes(1_000_001), TooLarge, "1.0 MB; up to 1 MB of MIDI are read"),
    "large.abc": (tune("C" * 2_000_000), TooLarge, "2.0 MB; up to 2 MB of ABC"),
    "long_tune.abc": (tune("C" * 200_000), TooLarge, "200029 letters"),
    "tunes.abc": (b"X:1\n" * 10_001 + b"K:C\n", TooLarge, "10001 tunes; up to 10000"),
    "voices.abc": (tune("".join(f"V:{n}\nC\n" for n in range(65))), TooLarge, "more than 64 voices"),
    "chord.mid": (midi([], [on(p % 128) for p in range(65)] + [off(0, 480)]), TooLarge, "more than 64 notes sound"),
    "parts.xml": (score(*[[note("C4", 1)]] * 65).encode(), TooLarge, "65 parts; up to 64"),
    "tags.xml": (b"<score-partwise>" + b"<a/>" * 1_000_000 + b"</score-partwise>", TooLarge, "XML tags"),
    "no_key.abc": (b"X:1\nK:C\nX:2\nC\n"[:11] + b"\nC", SeveralTunes, "2 tunes"),
    "metre.mid": (
        midi([mido.MetaMessage("time_signature", numerator=7, denominator=64)], [on(60), off(60, 480)]),
        WrongMetre,
        "7/64.*finer grid",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str) -> None:
    data, kind, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        read_bytes(data, name)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"{name}: ")


def test_zip_bomb() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", b"<score-partwise>" + bytes(21_000_000))
    honest = packed.getvalue()
    with pytest.raises(TooLarge, match="21.0 MB; up to 20 MB"):
        read_bytes(honest)
    size = (21_000_016).to_bytes(4, "little")
    assert honest.count(size) == 2
    with pytest.raises(MusicError):  # an archive that lies about its size
        read_bytes(honest.replace(size, (1000).to_bytes(4, "little")))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mid", tmp_path, "a\0b"):
        with pytest.raises(UnreadableFile, match="no such file|cannot be opened"):
            read(path)


@pytest.mark.parametrize("grid", [0, -4, 481, 2.5])
def test_bad_grid(grid: float) -> None:
    with pytest.raises(MusicError, match=f"steps_per_quarter is {grid}; use a whole number 1..480"):
        read_bytes(midi_bytes(line(60)), steps_per_quarter=grid)


def test_five_voices_and_seven_eight() -> None:
    five = Piece.from_notes([Note(v, 72 - 5 * v, 0, 4) for v in range(5)], 4, 5)
    for data in (midi_bytes(five), musicxml(five).encode()):
        assert len(read_bytes(data.replace(b"course_lib", b"another_lb")).voices) == 5
    seven = line(*range(60, 74), steps=2, time_signature=(7, 8))
    for data in (midi_bytes(seven), musicxml(seven).encode()):
        assert read_bytes(data.replace(b"course_lib", b"another_lb")).time_signature == (7, 8)
    assert read_bytes(tune("CDE FG AB|", metre="7/8")).time_signature == (7, 8)


def test_false_facts_are_not_believed() -> None:
    """A file whose facts do not describe its notes is read as if it had none."""
    piece = line(60, 62, 64)
    facts = json.loads(re.search(r"course_lib (\{.*?\})", midi_bytes(piece).decode("latin-1"))[1])
    for change in (
        {"notes": 0},
        {"steps": 10**12},
        {"steps": 4},
        {"steps_per_quarter": 0},
        {"steps_per_quarter": 1e999},
        {"voices": []},
        {"voices": 3},
        {"held": [[]]},
        {"fermata": [["a", "b"]]},
        {"key": "H major"},
        {"key": 5},
        {"tempo": "fast"},
        {"tempo": float("nan")},
        {"pickup": 99},
        {"time_signature": [4]},
    ):
        text = json.dumps(facts | change).replace('"', "&quot;")
        xml = re.sub("(<miscellaneous-field[^>]*>).*?<", lambda m, t=text: f"{m[1]}{t}<", musicxml(piece))
        found = read_bytes(xml.encode())
        assert (found.pitch[:12] == piece.pitch).all()
        assert (found.tempo, found.key, found.steps_per_quarter) == (80, None, 4)
    for text in ("", "null", "[]", "[" * 5000):
        xml = re.sub("(<miscellaneous-field[^>]*>).*?<", lambda m, t=text: f"{m[1]}{t}<", musicxml(piece))
        assert starts(read_bytes(xml.encode())) == starts(piece)


def test_importing_is_cheap() -> None:
    code = (
        "import sys, course_lib.music.files; print(sorted({'music21', 'mido', 'verovio', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(40, 80)), min_size=1, max_size=30))
def test_no_note_vanishes_that_lies_on_the_grid(sounds: list[tuple[int, int, int]]) -> None:
    """Any polyphony in one track: every note is found again, with its start and length."""
    events = []
    for n, (start, length, pitch) in enumerate(sounds):
        # Same pitches at once cannot be distinguished in one channel: give every note its own pitch.
        events += [(start, 1, n, pitch), (start + length, 0, n, pitch)]
    sounds = [(start, length, 40 + n) for n, (start, length, _) in enumerate(sounds)]
    messages, now = [], 0
    for time, begins, n, _ in sorted(events):
        messages.append((on if begins else off)(40 + n, 120 * (time - now)))
        now = time
    piece = read_bytes(midi([], messages))
    assert sorted((n.start, n.length, n.pitch) for n in piece.notes()) == sorted(sounds)
    most = max(sum(start <= step < start + length for start, length, _ in sounds) for step in range(60))
    assert len(piece.voices) == most
    for one, two in pairwise(range(len(piece.voices))):  # chords that begin together stand high to low
        both = piece.onset[:, one] & piece.onset[:, two]
        assert (piece.pitch[both, one] > piece.pitch[both, two]).all()
