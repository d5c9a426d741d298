"""Sound: the right pitches, at the right time, equally loud, never clipped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from course_lib.music.errors import MusicError
from course_lib.music.files import read
from course_lib.music.piece import REST, Note, Piece
from course_lib.show.audio import REEDS, flac, mp3, save, synthesize


def held(pitch: int, seconds: float = 2.0) -> Piece:
    return Piece.from_notes([Note(0, pitch, 0, 4)], 4, 1, tempo=60 / seconds)


def hertz(pitch: float) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


def cents_off(samples: np.ndarray, rate: int, pitch: int) -> float:
    """Distance of the strongest partial near a pitch from it; the spectrum is padded to 0.03 Hz."""
    part = samples[rate // 2 : 3 * rate // 2]
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), size))
    low, high = (round(hertz(pitch + side) * size / rate) for side in (-0.7, 0.7))
    return 1200 * np.log2((low + spectrum[low:high].argmax()) * rate / size / hertz(pitch))


def decibels(power: float) -> float:
    return 10 * np.log10(power)


@pytest.mark.parametrize(
    ("instrument", "low", "high"), list(zip(REEDS, (60, 53, 48, 36), (81, 74, 69, 64), strict=True))
)
def test_each_voice_is_in_tune(instrument: str, low: int, high: int) -> None:
    for pitch in range(low, high + 1, 3):
        samples, rate = synthesize(held(pitch), instrument)
        assert abs(cents_off(samples, rate, pitch)) < 5, pitch


def test_mp3_keeps_pitch_length_and_level() -> None:
    samples, rate = synthesize(held(69))
    back, back_rate = soundfile.read(io.BytesIO(mp3(samples, rate)), dtype="float32")
    assert back_rate == rate
    assert abs(len(back) - len(samples)) < rate // 100
    assert abs(cents_off(back, rate, 69)) < 5
    assert decibels(np.square(back).mean()) == pytest.approx(decibels(np.square(samples).mean()), abs=0.2)
    assert np.abs(back).max() < 1


def test_mp3_is_small() -> None:
    rng = np.random.default_rng(0)
    notes = [Note(v, int(rng.integers(40, 80)), 2 * t, 2) for v in range(4) for t in range(62)]
    piece = Piece.from_notes(notes, 124, 4)
    assert piece.seconds == pytest.approx(23, abs=0.5)
    assert len(mp3(*synthesize(piece))) < 120_000


def test_flac_reads_back() -> None:
    samples, rate = synthesize(held(60, 0.5))
    back, back_rate = soundfile.read(io.BytesIO(flac(samples, rate)), dtype="float32")
    assert back_rate == rate
    np.testing.assert_allclose(back, samples, atol=1 / 32000)


@pytest.mark.parametrize("instruments", [None, "piano", "organ", "strings", 6])
def test_pieces_are_equally_loud_and_never_clip(instruments: str | int | None) -> None:
    rng = np.random.default_rng(1)
    full = [Note(v, int(rng.integers(40, 80)), 4 * t, 4) for v in range(4) for t in range(16)]
    half_silent = [note for note in full if note.start < 32]
    for notes, steps in ((full, 64), (half_silent, 64), (full[:16], 64)):
        samples, _ = synthesize(Piece.from_notes(notes, steps, 4), instruments)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 10 ** (-1 / 20) + 1e-6
        blocks = np.square(samples[: len(samples) // 1600 * 1600].reshape(-1, 1600)).mean(axis=1)
        assert decibels(blocks[blocks > blocks.max() / 100].mean()) == pytest.approx(-18, abs=2.5)


def test_it_lasts_as_long_as_the_piece_and_dies_away() -> None:
    piece = Piece.from_notes([Note(0, 60, 8, 4)], 16, 1, tempo=120)
    samples, rate = synthesize(piece)
    assert len(samples) / rate == pytest.approx(piece.seconds + 1, abs=0.01)
    loud = np.flatnonzero(np.abs(samples) > 0.02) / rate
    assert loud[0] == pytest.approx(1.0, abs=0.05)
    assert loud[-1] == pytest.approx(1.5, abs=0.3)
    assert samples[-1] == 0


def test_repeated_notes_are_distinct() -> None:
    """Between two notes of one pitch the level dips; in a held note it does not."""

    def dip(piece: Piece) -> float:
        samples, rate = synthesize(piece)
        level = np.sqrt(np.convolve(np.square(samples), np.ones(320) / 320, "same"))
        return level[round(0.95 * rate) : round(1.1 * rate)].min() / level[round(0.5 * rate) : round(0.9 * rate)].mean()

    repeated = Piece.from_notes([Note(0, 72, 0, 4), Note(0, 72, 4, 4)], 8, 1, tempo=60)
    assert dip(repeated) < 0.75
    assert dip(held(72, 2.0)) > 0.8


def test_silence_is_silent() -> None:
    samples, _ = synthesize(Piece(np.full((8, 2), REST), np.zeros((8, 2), bool)))
    assert np.abs(samples).max() < 1e-3


def test_each_voice_gets_its_instrument() -> None:
    piece = Piece.from_notes([Note(0, 72, 0, 8), Note(1, 48, 8, 8)], 16, 2, tempo=60)
    both, rate = synthesize(piece, ["flute", "bassoon"])
    other, _ = synthesize(piece, ["flute", "cello"])
    middle = round((piece.seconds / 2 - 0.1) * rate)
    difference = np.abs(both - other * (np.abs(both[:middle]).max() / np.abs(other[:middle]).max()))
    assert difference[:middle].max() < 0.01 < difference[middle:].max()


@pytest.mark.parametrize(
    ("instruments", "message"),
    [("kazoo", "'kazoo' is unknown"), (128, "0..127"), (["piano"], "1 instruments for 2 voices")],
)
def test_unknown_instruments(instruments: object, message: str) -> None:
    with pytest.raises(MusicError, match=message):
        synthesize(Piece.from_notes([Note(0, 60, 0, 4)], 4, 2), instruments)  # type: ignore[arg-type]


def test_hours_are_refused() -> None:
    with pytest.raises(MusicError, match=r"36000 s; .* piece\.window"):
        synthesize(Piece(np.full((600, 1), 60), np.ones((600, 1), bool), steps_per_quarter=1, tempo=1))


@pytest.mark.parametrize("folder", ["course", "course/notebooks"])
def test_save_writes_files_that_are_the_piece(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    piece = held(60)
    save(piece, "results/99/a.b", abc="X:1\n")
    assert capsys.readouterr().out == "In results/99: a.b.abc, a.b.mid, a.b.mp3, a.b.musicxml\n"
    made = tmp_path / "course" / "results" / "99"
    assert sorted(path.name for path in made.iterdir()) == ["a.b.abc", "a.b.mid", "a.b.mp3", "a.b.musicxml"]
    assert read(made / "a.b.mid") == read(made / "a.b.musicxml") == piece
    assert soundfile.info(made / "a.b.mp3").duration == pytest.approx(piece.seconds + 1, abs=0.01)
    assert (made / "a.b.abc").read_text() == "X:1\n"


def test_save_writes_nothing_when_it_cannot_write_all(tmp_path: Path) -> None:
    with pytest.raises(MusicError, match="instrument"):
        save(held(60), tmp_path / "out" / "a", instruments="spoon")
    assert not (tmp_path / "out").exists()
