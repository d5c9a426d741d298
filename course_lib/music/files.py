"""MIDI, MusicXML and ABC files ⇄ Piece.

``read`` takes one file, ``read_many`` several; the format is found from the content, not from the name. Everything
that can be wrong with a file is a MusicError, whose message names the file, the value, the range and the remedy.

What happens to the music of other programs: it is put on a grid (of sixteenths, unless asked otherwise); notes that
sound at once in one part are divided into voices from high to low; the first time signature, key and tempo are
kept throughout; repeats are not expanded; drums, grace notes and chord symbols (but see
``read_lead_sheet``) are left out. A MusicWarning names
what this changed.

Notebook: 01.
"""

from __future__ import annotations

import html
import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from course_lib.music.encodings.lead_sheets import LeadSheet, chords_of_symbols, lead_sheet
from course_lib.music.errors import (
    MusicError,
    MusicWarning,
    NotMusic,
    SeveralTunes,
    TooLarge,
    UnreadableFile,
    WrongVoices,
)
from course_lib.music.formats.abc import abc_raw, abc_tunes
from course_lib.music.formats.midi import midi_bytes, midi_native, midi_raw
from course_lib.music.formats.musicxml import musicxml, musicxml_native, musicxml_raw
from course_lib.music.formats.quantise import Raw, to_piece
from course_lib.music.piece import Piece

MAX_BYTES = {"MIDI": 1_000_000, "MusicXML": 20_000_000, "ABC": 2_000_000}
"""Largest file that is read, by format; of compressed MusicXML, both packed and unpacked."""

Source = str | os.PathLike | tuple[str, bytes | memoryview]
"""A path, or a name with the bytes of the file, as an upload widget gives them."""


def read(path: str | os.PathLike, steps_per_quarter: int | None = None) -> Piece:
    """The piece in a MIDI, MusicXML (.mxl too) or ABC file.

    steps_per_quarter: the grid, in time steps per quarter note; None takes the one of the piece where this library
        wrote the file, else 4 (sixteenths).

    Raises UnreadableFile, NotMusic, EmptyScore, TooLarge, TooLong, SeveralTunes, and what Piece raises; all are
    MusicError. Warns with MusicWarning of what could not be kept.
    """
    return _only(path, steps_per_quarter)


def read_bytes(data: bytes | memoryview, name: str = "the file", steps_per_quarter: int | None = None) -> Piece:
    """The piece in the content of a file, as an upload widget gives it. The rest is as in ``read``."""
    return _only((name, data), steps_per_quarter)


def read_many(sources: Iterable[Source], steps_per_quarter: int | None = None) -> tuple[list[Piece], list[MusicError]]:
    """The pieces of several files, and an error for each file or tune that could not be read.

    sources: paths, or (name, bytes) pairs. An ABC file may hold several tunes: each becomes a piece.
    """
    pieces: list[Piece] = []
    errors: list[MusicError] = []
    for source in sources:
        for result in _tunes(source, steps_per_quarter):
            (pieces if isinstance(result, Piece) else errors).append(result)  # type: ignore[arg-type]
    return pieces, errors


def read_lead_sheet(source: Source) -> LeadSheet:
    """The melody of a file, its highest voice on a grid of sixteenths, and its chords, one a half bar.

    The chords are the file's chord symbols (in ABC ``"Am"`` before a note; in MusicXML ``<harmony>``), each reduced to
    its triad; where it has none, the triads of the lower voices. Raises as ``read``; WrongVoices for a single voice
    without chord symbols. Notebook: 15.
    """
    name = _name(source)
    try:
        (make, native), *more = _parse(_load(source))
        if more:
            raise SeveralTunes(f"it holds {len(more) + 1} tunes. Give one: cut the others away.")
        raw = make()
        piece = to_piece(raw, 4, native)
        if raw.chords:
            return LeadSheet(piece.select(0), chords_of_symbols(piece, raw.chords))
        return lead_sheet(piece)
    except WrongVoices as error:
        raise WrongVoices(f"{name}: it has no chord symbols and a single voice. Write symbols above it.") from error
    except MusicError as error:
        raise _named(error, name) from error


def write_midi(piece: Piece, path: str | os.PathLike) -> Path:
    """Writes the piece as a MIDI file, whole or not at all.

    Up to MAX_STEPS and MAX_VOICES ``read`` gives an equal piece.
    """
    return write_whole(Path(path), midi_bytes(piece))


def write_musicxml(piece: Piece, path: str | os.PathLike) -> Path:
    """Writes the piece as a MusicXML file, whole or not at all.

    Up to MAX_STEPS and MAX_VOICES ``read`` gives an equal piece.
    """
    return write_whole(Path(path), musicxml(piece).encode())


def write_whole(path: Path, data: bytes) -> Path:
    """Writes a file, or leaves what stood there before."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _only(source: Source, steps_per_quarter: int | None) -> Piece:
    first, *more = _tunes(source, steps_per_quarter)
    if more:
        raise SeveralTunes(f"{_name(source)}: it holds {len(more) + 1} tunes. Use read_many, which gives them all.")
    if isinstance(first, MusicError):
        raise first
    return first


def _tunes(source: Source, steps_per_quarter: int | None) -> list[Piece | MusicError]:
    """Every tune of a file as a piece, or as the error that it made; at least one of either."""
    name = _name(source)
    results: list[Piece | MusicError] = []
    try:
        if steps_per_quarter is not None and steps_per_quarter not in range(1, 481):
            raise MusicError(f"steps_per_quarter is {steps_per_quarter}; use a whole number 1..480 (4 = sixteenths).")
        found = _parse(_load(source))
    except MusicError as error:
        return [_named(error, name)]
    for number, (make, native) in enumerate(found, 1):
        tune = f"{name}, tune {number}" if len(found) > 1 else name
        try:
            raw = make()
            results.append(to_piece(raw, steps_per_quarter, native))
        except MusicError as error:
            results.append(_named(error, tune))
        else:
            if raw.remarks:
                warnings.warn(f"{tune}: {'; '.join(raw.remarks)}.", MusicWarning, stacklevel=4)
    return results


def _name(source: Source) -> str:
    return source[0] if isinstance(source, tuple) else os.fspath(source)


def _named(error: MusicError, name: str) -> MusicError:
    named = type(error)(f"{name}: {error}")
    named.__cause__ = error
    return named


def _load(source: Source) -> bytes:
    """The bytes of a file. Raises UnreadableFile, TooLarge."""
    if isinstance(source, tuple):
        return bytes(source[1])  # widgets give a memoryview
    path = Path(source)
    try:
        if not path.is_file():
            raise UnreadableFile(f"there is no such file{' but a folder' if path.is_dir() else ''}. Check the name.")
        _limit(path.stat().st_size, "MusicXML")  # the largest limit; the others wait for the content
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, MusicError):
            raise
        raise UnreadableFile(f"it cannot be opened ({error}). Check name and permissions.") from error


def _limit(size: int, kind: str) -> None:
    if size > MAX_BYTES[kind]:
        raise TooLarge(f"it has {size / 1e6:.1f} MB; up to {MAX_BYTES[kind] / 1e6:.0f} MB of {kind} are read. Cut it.")


def _parse(data: bytes) -> list[tuple[Callable[[], Raw], Callable[[Piece], dict[str, object]]]]:
    """What makes the Raw of each tune, and what its format stores natively, by the content of the file.

    Raises NotMusic, UnreadableFile, TooLarge.
    """
    _limit(len(data), "MusicXML")
    if data.startswith(b"MThd") or (data.startswith(b"RIFF") and b"MThd" in data[:64]):
        _limit(len(data), "MIDI")
        return [(lambda: midi_raw(data), midi_native)]
    packed = data.startswith(b"PK\x03\x04")
    if packed:
        data = _unpacked(data)
    text = _text(data)
    if "<score-partwise" in text or "<score-timewise" in text:
        _limit(len(data), "MusicXML")
        return [(lambda: musicxml_raw(text), musicxml_native)]
    if not packed and "\0" not in text and re.search(r"^K:", text, re.MULTILINE):
        _limit(len(data), "ABC")
        return [(lambda tune=tune: abc_raw(tune), lambda piece: {}) for tune in abc_tunes(text)]
    looks = f"begins with {data[:12]!r}" if data else "is empty"
    raise NotMusic(
        f"it {looks}: neither MIDI (MThd), MusicXML (<score-partwise) nor ABC (a line K:). Choose a .mid, .musicxml, "
        ".mxl or .abc file."
    )


def _unpacked(data: bytes) -> bytes:
    """The score in compressed MusicXML (.mxl). Raises UnreadableFile, NotMusic, TooLarge."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            scores = [n for n in names if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF/")]
            if "META-INF/container.xml" in names:
                with archive.open("META-INF/container.xml") as file:
                    root = re.search(r'<rootfile[^>]{0,500}full-path="([^"]{1,500})"', _text(file.read(100_000)))
                scores = [html.unescape(root[1])] if root else scores
            if not scores:
                raise NotMusic("it is an archive without a score. Choose a .mxl file, or unpack it.")
            _limit(archive.getinfo(scores[0]).file_size, "MusicXML")
            with archive.open(scores[0]) as file:
                content = file.read(MAX_BYTES["MusicXML"] + 1)  # the size in the archive may be false
    except MusicError:
        raise
    except Exception as error:  # whatever zipfile and zlib raise for a damaged archive
        raise UnreadableFile(f"as an archive it is damaged ({error}). Export or download the file anew.") from error
    _limit(len(content), "MusicXML")
    return content


def _text(data: bytes) -> str:
    """Bytes as text: by byte order mark, by what XML declares, else UTF-8, else Latin-1."""
    declared = re.match(
        rb"""\s*<\?xml[^>]{0,200}encoding=["']((?:utf|iso|windows|us)-[a-z0-9-]{1,12})["']""", data, re.I
    )
    mark = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16" if mark else "utf-8-sig", declared[1].decode() if declared else "utf-8-sig"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")
