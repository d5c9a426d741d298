"""Damaged files: whatever is wrong with a file, reading it gives pieces or a MusicError, soon, in little memory."""

import gc
import io
import re
import signal
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import mido
import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.music.files import midi_bytes, musicxml, read_many
from course_lib.music.piece import REST, Piece

CHUNKS, FILES = 8, 430  # of each of the three kinds
SECONDS = 5  # a mutant takes some milliseconds; this is a hang
MEGABYTES = 150  # by which reading one chunk may raise the peak of the process
NUMBERS = b"0 -1 1 3 7 255 256 65535 65536 2147483648 99999999999 1e9 1e308 1e-9 nan inf 0.3333 1/0 x".split()

FOREIGN_XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "partwise.dtd">
<score-partwise version="4.0"><work><work-title>Probe</work-title></work>
<part-list><score-part id="P1"><part-name>Piano</part-name></score-part>
<score-part id="P2"><part-name>Clarinet</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>12</divisions><key><fifths>-2</fifths></key>
<time><beats>3</beats><beat-type>4</beat-type></time><staves>2</staves></attributes>
<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>90</per-minute></metronome>
</direction-type><sound tempo="90"/></direction>
<harmony><root><root-step>G</root-step></root><kind>minor</kind></harmony>
<note><grace/><pitch><step>A</step><octave>4</octave></pitch><voice>1</voice></note>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>12</duration><voice>1</voice><staff>1</staff></note>
<note><chord/><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>12</duration><voice>1</voice>
<staff>1</staff></note>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>24</duration><tie type="start"/><voice>1</voice>
<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification><staff>1</staff>
<notations><tied type="start"/><fermata/></notations></note>
<backup><duration>36</duration></backup><forward><duration>12</duration></forward>
<note><pitch><step>G</step><octave>2</octave></pitch><duration>24</duration><voice>5</voice><staff>2</staff></note>
</measure><measure number="2"><note><pitch><step>D</step><octave>5</octave></pitch><duration>36</duration>
<tie type="stop"/><voice>1</voice></note><barline><repeat direction="backward" times="2"/></barline></measure></part>
<part id="P2"><measure number="1"><attributes><divisions>2</divisions><transpose><diatonic>-1</diatonic>
<chromatic>-2</chromatic></transpose></attributes><note><unpitched/><duration>2</duration></note>
<note><pitch><step>E</step><octave>5</octave></pitch><duration>4</duration></note></measure>
<measure number="2"><note><rest measure="yes"/><duration>6</duration></note></measure></part></score-partwise>
"""
FOREIGN_ABC = """%abc-2.1
%%directive 1
X:1
T:The Probe
C:Trad.
M:6/8
L:1/8
Q:3/8=100
V:1 name="Flute"
V:2 clef=bass octave=-1
K:Edor
V:1
|:"Em"{fg}E2B !trill!B^AB|(3ABc d>e f<g|[M:9/8]~g3 gfe [E2G2B2]3-|[EGB]3 z3 x2Z:|
V:2
[K:G]E,6|_B,,3/2 =B,/ c// d'5/4 & e3|(5abcde Hf4-|f2 (3:2:4gabc'|[1 A2:|[2 B2|]
w:la la
X:2
T:Second
M:C|
K:D =c
DEFG|AB^cd|
"""


def _small_piece() -> Piece:
    rng = np.random.default_rng(0)
    pitch = np.repeat(rng.integers(48, 76, (9, 3)), 4, axis=0)
    onset = np.zeros(pitch.shape, bool)
    onset[::4] = True
    pitch[8:12, 1], onset[8:12, 1] = REST, False
    return Piece(pitch, onset, title="Probe", key="E minor", pickup=4, fermata=np.arange(36) == 32)


def _foreign_midi() -> bytes:
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("time_signature", numerator=7, denominator=8))
    track.append(mido.MetaMessage("set_tempo", tempo=400_000))
    track.append(mido.Message("sysex", data=(1, 2, 3)))
    for pitch in range(60, 72):
        channel = pitch % 3
        track.append(mido.Message("program_change", channel=channel, program=pitch))
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=70, time=113))
        track.append(mido.Message("note_on", channel=9, note=36, velocity=70))
        track.append(mido.Message("pitchwheel", channel=channel, pitch=100, time=30))
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=0, time=90))
    out = io.BytesIO()
    mido.MidiFile(type=0, tracks=[track]).save(file=out)
    return out.getvalue()


def _packed(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<container><rootfile full-path="score.xml"/></container>')
        archive.writestr("score.xml", text)
    return out.getvalue()


def _bases(kind: str) -> list[bytes]:
    piece = _small_piece()
    if kind == "midi":
        return [midi_bytes(piece), midi_bytes(piece).replace(b"course_lib", b"other_prog"), _foreign_midi()]
    if kind == "musicxml":
        return [musicxml(piece).encode(), FOREIGN_XML.encode(), FOREIGN_XML.encode(), _packed(FOREIGN_XML)]
    return [FOREIGN_ABC.encode()]


def _mutant(rng: np.random.Generator, bases: list[bytes]) -> bytes:
    """One of the files with one to four things done to it."""
    data = bytearray(bases[rng.integers(len(bases))])
    for _ in range(rng.integers(1, 5)):
        size = len(data)
        if not size:
            break
        a, b = sorted(int(n) for n in rng.integers(0, size + 1, 2))
        b = min(b, a + int(rng.choice((1, 2, 8, 64, 512))))
        # XML falls apart at once unless most changes leave it well formed.
        what = rng.choice((7, 9)) if data[:1] == b"<" and rng.random() < 0.9 else rng.integers(10)
        if what == 0:  # flip bits
            for place in rng.integers(0, size, rng.integers(1, 9)):
                data[place] ^= 1 << rng.integers(8)
        elif what == 1:  # cut off
            del data[a:]
        elif what == 2:  # leave out
            del data[a:b]
        elif what == 3:  # repeat
            data[b:b] = data[a:b] * int(rng.choice((1, 3, 50)))
        elif what == 4:  # other bytes
            data[a:b] = rng.bytes(b - a)
        elif what == 5:  # the greatest or least bytes
            data[a:b] = bytes([int(rng.choice((0x00, 0x7F, 0x80, 0xFF)))]) * (b - a)
        elif what == 6:  # a piece of another file
            other = bases[rng.integers(len(bases))]
            start = int(rng.integers(len(other)))
            data[a:b] = other[start : start + 200]
        elif what == 7:  # other numbers
            places = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
            for place in sorted(rng.integers(0, len(places), rng.integers(1, 3)), reverse=True) if places else ():
                data[slice(*places[place].span())] = NUMBERS[rng.integers(len(NUMBERS))]
        else:  # swap two words or, in XML, two elements; leave one out, or repeat it
            word = rb"\w+" if what == 8 else rb"<([\w-]+)[^<>]*>[^<>]*</\1>|<[\w-]+[^<>]*/>|\S+\n"
            places = [place.span() for place in re.finditer(word, data)]
            one, two = sorted(int(n) for n in rng.integers(0, len(places), 2)) if places else (0, 0)
            if one != two:
                (a, b), (c, d) = places[one], places[two]
                swapped, left_out, repeated = data[c:d] + data[b:c] + data[a:b], data[b:d], data[a:d] * 2
                data[a:d] = (swapped, left_out, repeated)[rng.choice(3, p=(0.8, 0.1, 0.1))]
    return bytes(data)


class Hang(BaseException):
    """A file took too long; no ``except Exception`` may swallow it."""


@contextmanager
def _watchdog() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):  # Windows: pytest-timeout remains
        yield
        return

    def bark(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _read(data: bytes) -> tuple[int, int]:
    """Reads a file; how many pieces and how many errors it gave. Anything else fails the test."""
    try:
        with _watchdog():
            pieces, errors = read_many([("mutant", data)])
    except BaseException as error:
        raise AssertionError(f"{error!r} for the file {data!r}") from error
    assert pieces or errors
    assert all(isinstance(piece, Piece) for piece in pieces)
    assert all(isinstance(error, MusicError) and str(error).startswith("mutant") for error in errors)
    return len(pieces), len(errors)


def _peak_megabytes() -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("kind", ["midi", "musicxml", "abc"])
@pytest.mark.filterwarnings("ignore::course_lib.music.files.MusicWarning")
def test_mutants(kind: str, chunk: int) -> None:
    bases = _bases(kind)
    rng = np.random.default_rng([chunk, len(kind)])
    for base in bases:
        assert _read(base)[1] == 0
    before = _peak_megabytes()
    counts = np.array([_read(_mutant(rng, bases)) for _ in range(FILES)])
    assert _peak_megabytes() - before < MEGABYTES
    # The mutants are neither all sound nor all hopeless.
    assert (counts > 0).sum(0).min() > FILES / 20


@pytest.mark.parametrize("kind", ["midi", "musicxml", "abc"])
def test_reading_leaves_nothing_behind(kind: str) -> None:
    bases = _bases(kind)
    rng = np.random.default_rng(99)
    mutants = [_mutant(rng, bases) for _ in range(160)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mutant in mutants[:60]:
            _read(mutant)
        tracemalloc.start()
        try:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            for mutant in mutants[60:]:
                _read(mutant)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 100_000


def test_a_hang_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SECONDS", 0.05)
    with pytest.raises(Hang), _watchdog():
        while True:
            pass
