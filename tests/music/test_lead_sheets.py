"""Lead sheets: chord symbols of files, bars in every key, and which notes lie in the chord."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from course_lib.music.datasets import chorales
from course_lib.music.encodings.chords import CHORDS, NO_CHORD
from course_lib.music.encodings.lead_sheets import (
    LOWEST_MELODY,
    MELODY_PITCHES,
    LeadSheet,
    bars_piece,
    chord_bars,
    chord_features,
    chord_number,
    chord_tone_share,
    lead_sheet,
)
from course_lib.music.errors import SeveralTunes, WrongMetre, WrongVoices
from course_lib.music.files import read, read_lead_sheet, write_musicxml
from course_lib.music.piece import REST, Piece

ABC = """X:1
T:Two chords
M:4/4
L:1/4
K:C
"C"c"^slowly"e "G7/B"d2 | "Am"c2>z2 | "N.C."c4 | "F#dim"^f2 z2 |
"""


def names(chord: np.ndarray) -> list[str]:
    return ["-" if number == NO_CHORD else CHORDS[number] for number in chord]


def line(*pitch: int, **facts: object) -> Piece:
    """One voice, a new note at each change."""
    array = np.array(pitch)[:, None]
    onset = np.ones(array.shape, bool)
    onset[1:] = array[1:] != array[:-1]
    return Piece(array, onset & (array != REST), **facts)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("C", "C"), ("Cmaj7", "C"), ("CM7", "C"), ("C/E", "C"), ("Csus4", "C"), ("C7", "C"), ("Con moto", "C"),
        ("Am", "Am"), ("Am7", "Am"), ("Amin", "Am"), ("A-7", "Am"), ("Bdim", "Bm"), ("B°", "Bm"), ("Bø7", "Bm"),
        ("F#m7b5", "F#m"), ("Gb", "F#"), ("B♭m", "Bbm"), ("E#", "F"), ("Cb", "B"), (" D ", "D"),
        ("N.C.", "-"), ("NC", "-"),
    ],
)  # fmt: skip
def test_a_chord_symbol_is_reduced_to_its_triad(symbol: str, name: str) -> None:
    assert names([chord_number(symbol)]) == [name]


@pytest.mark.parametrize("remark", ["", "^slowly", "_above", "<(", "fine", "12", "h"])
def test_a_remark_is_no_chord(remark: str) -> None:
    assert chord_number(remark) is None


def test_abc_with_chords(tmp_path: Path) -> None:
    path = tmp_path / "tune.abc"
    path.write_text(ABC)
    melody, chord = read_lead_sheet(path)
    assert names(chord) == ["C", "G", "Am", "Am", "-", "-", "F#m", "F#m"]
    assert melody == read(path) and len(melody.voices) == 1
    assert read_lead_sheet(("tune.abc", ABC.encode())).chord.tolist() == chord.tolist()


def test_a_pickup_shifts_the_half_bars() -> None:
    melody, chord = read_lead_sheet(("p.abc", b'X:1\nM:4/4\nL:1/4\nK:C\nG | "C"c2"F"f2 | "G"g4 |\n'))
    assert melody.pickup == 4 and names(chord) == ["-", "C", "F", "G", "G"]


HARMONY = """<?xml version="1.0"?><score-partwise><part-list><score-part id="P1">
<part-name>Tune</part-name></score-part></part-list><part id="P1"><measure number="1"><attributes>
<divisions>2</divisions>{transpose}<time><beats>4</beats>
<beat-type>4</beat-type></time></attributes>
<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind>{kind}</kind></harmony>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration></note>
<harmony><root><root-step>F</root-step></root><kind text="7">dominant</kind></harmony>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>4</duration></note></measure>
<measure number="2"><note><pitch><step>D</step><octave>5</octave></pitch><duration>8</duration></note></measure>
</part></score-partwise>"""


@pytest.mark.parametrize(
    ("kind", "name"),
    [("major", "Bb"), ("minor-seventh", "Bbm"), ("half-diminished", "Bbm"), ("suspended-fourth", "Bb"), ("none", "-")],
)
def test_musicxml_with_chord_symbols(kind: str, name: str) -> None:
    sheet = read_lead_sheet(("s.musicxml", HARMONY.format(kind=kind, transpose="").encode()))
    assert names(sheet.chord) == [name, "F", "F", "F"]


def test_chords_of_a_transposing_part_sound_like_its_notes() -> None:
    down = "<transpose><chromatic>-2</chromatic></transpose>"
    melody, chord = read_lead_sheet(("s.musicxml", HARMONY.format(kind="major", transpose=down).encode()))
    assert names(chord) == ["Ab", "Eb", "Eb", "Eb"] and melody.pitch[0, 0] == 70


def test_without_symbols_the_lower_voices_give_the_chords(tmp_path: Path) -> None:
    piece = next(p for p in chorales().test if p.time_signature == (4, 4))
    path = write_musicxml(piece, tmp_path / "chorale.musicxml")
    found, expected = read_lead_sheet(path), lead_sheet(piece)
    assert found.melody == expected.melody and found.chord.tolist() == expected.chord.tolist()


def test_what_has_no_chords_is_refused() -> None:
    with pytest.raises(WrongVoices, match=r"t\.abc: it has no chord symbols"):
        read_lead_sheet(("t.abc", b"X:1\nM:4/4\nL:1/4\nK:C\ncdec|\n"))
    with pytest.raises(SeveralTunes, match="2 tunes"):
        read_lead_sheet(("t.abc", b'X:1\nK:C\n"C"c4|\n\nX:2\nK:C\n"C"c4|\n'))


def test_bars_hold_the_melody_its_chords_and_the_bar_before() -> None:
    sheet = LeadSheet(line(*[72] * 8, *[74] * 8, *[76] * 16), np.array([0, 7, 9 + 12, 9 + 12]))
    bars = chord_bars([sheet])
    assert bars.melody[0].tolist() == [0] * 8 + [2] * 8 and bars.melody[1].tolist() == [4] * 16
    assert bars.chord.tolist() == [[0, 7], [21, 21]] and bars.sheet.tolist() == [0, 0]
    assert (bars.before[0] == -1).all() and bars.before[1].tolist() == bars.melody[0].tolist()


def test_each_bar_comes_in_every_key_and_its_chord_with_it() -> None:
    bars = chord_bars([LeadSheet(line(*[60] * 8, *[64] * 8), np.array([0, 21]))], range(12))
    assert len(bars.melody) == 12 and bars.chord.tolist() == [[k, 12 + (9 + k) % 12] for k in range(12)]
    assert np.allclose(chord_tone_share(bars.melody, bars.chord), 1)
    assert bars.melody.min() >= 0 and bars.melody.max() < MELODY_PITCHES


def test_the_bar_before_moves_with_its_bar() -> None:
    """A bar an octave lower, after one whose notes then lie outside: they alone are moved back."""
    bars = chord_bars([LeadSheet(line(*[88] * 16, *[50] * 16), np.zeros(4, int))])
    assert bars.melody[:, 0].tolist() == [4, 2] and bars.before[1, 0] == 88 % 12 + 12
    assert chord_bars([LeadSheet(line(*[60] * 8, *[90] * 8), np.zeros(2, int))]).melody.shape == (0, 16)


def test_rests_are_filled_and_bars_without_a_chord_left_out() -> None:
    melody = line(*[REST] * 4, *[60] * 4, *[REST] * 4, *[62] * 4, *[64] * 16)
    bars = chord_bars([LeadSheet(melody, np.array([0, 0, 0, NO_CHORD]))])
    assert bars.melody.tolist() == [[0] * 12 + [2] * 4]
    assert chord_bars([LeadSheet(line(*[REST] * 16), np.zeros(2, int))]).melody.shape == (0, 16)


def test_another_metre_is_refused() -> None:
    with pytest.raises(WrongMetre, match="bars of 12 steps"):
        chord_bars([LeadSheet(line(*[60] * 12, time_signature=(3, 4)), np.zeros(2, int))])


def test_features_are_root_and_mode() -> None:
    features = chord_features(np.array([[0, 14]]))
    assert features.shape == (1, 2, 13) and features.dtype == np.float32
    assert np.flatnonzero(features[0, 0]).tolist() == [0] and np.flatnonzero(features[0, 1]).tolist() == [2, 12]


def test_the_share_counts_sixteenths() -> None:
    melody = np.array([[0] * 4 + [2] * 4 + [7] * 6 + [8] * 2])  # C, D | G, Ab
    assert chord_tone_share(melody, np.array([[0, 7]])).tolist() == [10 / 16]  # over C | over G


def test_bars_are_played_over_their_chords() -> None:
    melody = np.array([[0] * 8 + [4] * 8, [4] * 16])
    piece = bars_piece(melody, np.array([[0, 21], [21, 21]]))
    assert piece.title == "C Am Am Am" and len(piece) == 32 and len(piece.voices) == 5
    assert np.flatnonzero(piece.onset[:, 0]).tolist() == [0, 8, 16]
    again = chord_bars([LeadSheet(piece.select(0), np.array([0, 21, 21, 21]))])
    assert np.array_equal(again.melody, melody) and piece.pitch[0, 0] == LOWEST_MELODY


def test_the_chorales() -> None:
    data = chorales()
    sheets = [lead_sheet(piece) for piece in data.test if piece.time_signature == (4, 4)]
    bars, every_key = chord_bars(sheets), chord_bars(sheets, range(12))
    assert len(every_key.melody) == 12 * len(bars.melody)  # all fit into two octaves
    assert 0.60 < chord_tone_share(bars.melody, bars.chord).mean() < 0.65
