"""The mixer sounds like ``synthesize``, as a loop, from notes that are rendered once."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.music.piece import REST, Note, Piece
from course_lib.show import note_cache
from course_lib.show.audio import INSTRUMENTS, SAMPLE_RATE, synthesize
from course_lib.show.note_cache import ATTACK, NoteCache


@pytest.fixture(scope="module")
def mix() -> NoteCache:
    return NoteCache()


@pytest.fixture(scope="module")
def piece() -> Piece:
    chords = [(72, 67, 64, 48), (74, 67, 62, 55), (72, 69, 65, 53), (72, 67, 64, 48)]
    notes = [Note(v, pitch, 4 * t, 4) for t, chord in enumerate(chords) for v, pitch in enumerate(chord)]
    return Piece.from_notes(notes, 16, 4, tempo=60)


def spectra(samples: np.ndarray) -> np.ndarray:
    blocks = samples[: len(samples) // 2048 * 2048].reshape(-1, 2048)
    return np.abs(np.fft.rfft(blocks * np.hanning(2048)))


def test_it_sounds_like_synthesize(mix: NoteCache, piece: Piece) -> None:
    samples, rate = mix.loop(piece)
    assert rate == SAMPLE_RATE and samples.dtype == np.float32 and len(samples) == round(piece.seconds * rate)
    true = spectra(synthesize(piece)[0][: len(samples)])
    other = spectra(synthesize(piece.transpose(1))[0][: len(samples)])
    mixed = spectra(samples)
    assert np.abs(mixed - true).mean() < 0.15 * true.mean() < 0.15 * np.abs(mixed - other).mean()


@pytest.mark.parametrize("pitch", [43, 60, 79])
def test_pitch_within_ten_cents(mix: NoteCache, pitch: int) -> None:
    samples, rate = mix.loop(Piece.from_notes([Note(0, pitch, 0, 16)], 16, 1, tempo=60))  # four seconds
    steady = samples[rate : 3 * rate]
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), size))
    wanted = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, 7)
    near = [slice(round(hertz * 0.97 * size / rate), round(hertz * 1.03 * size / rate)) for hertz in wanted]
    loudest = int(np.argmax([spectrum[part].max() for part in near]))  # of the partials, the first may be weak
    found = (near[loudest].start + spectrum[near[loudest]].argmax()) * rate / size
    assert abs(1200 * np.log2(found / wanted[loudest])) < 10


@pytest.mark.parametrize("instruments", [None, "piano", "choir"])
def test_as_loud_as_synthesize_and_never_too_loud(piece: Piece, instruments: str | None) -> None:
    samples, _ = NoteCache(instruments).loop(piece)
    true = synthesize(piece, instruments)[0][: len(samples)]
    decibels = 20 * np.log10(np.sqrt(np.square(samples).mean() / np.square(true).mean()))
    assert abs(decibels) < 1
    assert np.abs(samples).max() <= 10 ** (-1 / 20) + 1e-6


@pytest.mark.parametrize("instruments", [None, "piano", "strings"])
def test_no_click_where_the_loop_begins_anew(piece: Piece, instruments: str | None) -> None:
    """The steps of the second difference there are no larger than in the middle of the music."""
    samples, rate = NoteCache(instruments).loop(piece)
    bend = np.abs(np.diff(np.tile(samples, 2), 2))
    join = bend[len(samples) - 20 : len(samples) + 20]
    chord = bend[round(rate * 0.95) : round(rate * 1.2)]  # where the second chord begins
    assert join.max() <= 1.5 * chord.max()


def test_notes_are_rendered_once(piece: Piece, monkeypatch: pytest.MonkeyPatch) -> None:
    once, asked = note_cache.rendered, []
    monkeypatch.setattr(note_cache, "_known", {})
    monkeypatch.setattr(note_cache, "rendered", lambda *some: asked.append(some[1]) or once(*some))
    mix = NoteCache("organ")
    many = len({note.pitch for note in piece.notes()})
    mix.learn([piece])
    assert asked.count([INSTRUMENTS["organ"]]) == many  # an explorer elsewhere may be learning other instruments
    mix.loop(piece)
    mix.loop(piece.window(0, 8))
    assert asked.count([INSTRUMENTS["organ"]]) == many


def test_a_note_ends_when_it_should(mix: NoteCache) -> None:
    samples, rate = mix.loop(Piece.from_notes([Note(0, 60, 4, 4)], 16, 1, tempo=60))  # from 1 s to 2 s
    loud = np.flatnonzero(np.abs(samples) > 0.02) / rate
    assert loud[0] == pytest.approx(1, abs=0.05) and loud[-1] == pytest.approx(2, abs=0.3)
    steps = np.abs(np.diff(samples))
    assert steps[round(1.9 * rate) :].max() < 1.5 * steps[round(1.3 * rate) : round(1.8 * rate)].max()  # no click


def test_what_dies_away_at_the_end_does_so_at_the_beginning(mix: NoteCache) -> None:
    samples, rate = mix.loop(Piece.from_notes([Note(0, 60, 12, 4)], 16, 1, tempo=60))
    assert np.abs(samples[: rate // 20]).max() > 0.02 > np.abs(samples[rate // 2 : rate]).max()


def test_long_notes_and_silence() -> None:
    mix = NoteCache("organ")
    samples, rate = mix.loop(Piece.from_notes([Note(0, 60, 0, 40)], 40, 1, tempo=60))  # ten seconds
    power = np.square(samples[rate : 9 * rate].reshape(-1, rate)).mean(axis=1)
    assert power.min() > 0.5 * power.max()
    assert not mix.loop(Piece(np.full((8, 1), REST), np.zeros((8, 1), bool)))[0].any()


def test_partials(mix: NoteCache) -> None:
    """A flute has a strong first partial; the loudness of an organ rises and then stays, a piano's falls."""
    flute = mix.harmonics(73, 72)
    assert flute.shape == (note_cache.HARMONICS,) and flute.argmax() == 0 and (flute >= 0).all()
    organ, piano = mix.swell(19, 60), mix.swell(0, 60)
    assert len(organ) == len(ATTACK) and organ[0] < 0.2 and organ[-1] == pytest.approx(1, abs=0.2)
    assert piano[3] > 2 * piano[-1]


def test_unknown_instruments(piece: Piece) -> None:
    with pytest.raises(MusicError, match="kazoo"):
        NoteCache("kazoo").loop(piece)
