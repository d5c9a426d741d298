"""Piece ⇄ Standard MIDI File, through mido."""

from __future__ import annotations

import io
import re
from collections import defaultdict, deque
from collections.abc import Sequence

from course_lib.music.errors import UnreadableFile
from course_lib.music.formats.quantise import MARK, Part, Raw, RawNote, facts_text
from course_lib.music.keys import key_fifths, key_of_signature
from course_lib.music.piece import Piece

_DRUMS = 9
_VELOCITY = 80
_SLOWEST = 0xFFFFFF  # microseconds a quarter: MIDI has three bytes for it
_LATEST = 1 << 40  # ticks: beyond any piece, and still exact as a float
_CHANNELS = [c for c in range(16) if c != _DRUMS]


def midi_bytes(piece: Piece, programs: Sequence[int] | None = None, tail: float = 0.0) -> bytes:
    """The piece as a type 1 MIDI file: a track of facts, then one track a voice.

    programs: a General MIDI instrument 0..127 for each voice. tail: seconds of silence at the end.
    Tempo, time signatures, key, title and voice names are native. Grid, held starts, fermatas and what else
    MIDI cannot hold stand in one text event at time 0, which only this library reads.
    """
    import mido

    ticks = max(1, 480 // piece.steps_per_quarter)  # a step; always a whole number, so that nothing is rounded
    file = mido.MidiFile(type=1, ticks_per_beat=ticks * piece.steps_per_quarter, charset="utf-8")
    first = file.add_track()
    meta = lambda kind, **values: first.append(mido.MetaMessage(kind, **values))  # noqa: E731
    if piece.title:
        meta("track_name", name=_text(piece.title))
    meta("text", text=f"{MARK} {facts_text(piece)}")
    meta("set_tempo", tempo=_microseconds(piece.tempo))
    if piece.key is not None:
        meta("key_signature", key=_mido_key(piece.key))
    beats, unit = piece.time_signature
    partial = _partial_bar(piece)
    if partial:
        meta("time_signature", numerator=partial[0], denominator=partial[1])
    meta("time_signature", numerator=beats, denominator=unit, time=ticks * piece.pickup if partial else 0)
    begun = piece.pickup if partial else 0
    silence = round(file.ticks_per_beat * tail * piece.tempo / 60)
    meta("end_of_track", time=ticks * max(0, len(piece) - begun) + silence)

    notes = piece.notes()
    for voice, name in enumerate(piece.voices):
        track = file.add_track()
        track.append(mido.MetaMessage("track_name", name=_text(name)))
        channel = _CHANNELS[voice % len(_CHANNELS)]
        own = [note for note in notes if note.voice == voice]
        if programs is not None and own:
            track.append(mido.Message("program_change", channel=channel, program=programs[voice]))
        now = 0
        for note in own:
            on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=_VELOCITY)
            off = mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)
            track.append(on.copy(time=ticks * (note.start - now)))
            track.append(off.copy(time=ticks * note.length))
            now = note.start + note.length
        track.append(mido.MetaMessage("end_of_track", time=ticks * (len(piece) - now)))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def midi_raw(data: bytes) -> Raw:
    """A Standard MIDI File as it stands: every track is a part, divided by channel; drums are left out.

    The first tempo, key and time signature count. A first bar shorter than the second is a pickup.
    Raises UnreadableFile.
    """
    import mido

    start = data.find(b"MThd")  # it may lie in a RIFF envelope
    if max(map(len, re.findall(rb"[\x80-\xff]+", data)), default=0) > 4096:  # mido would take hours over it
        raise UnreadableFile("it holds numbers that no MIDI file has. Export the file anew.")
    try:
        file = mido.MidiFile(file=io.BytesIO(data[start:]), clip=True)
    except Exception as error:  # whatever mido raises for a damaged file
        reason = "it ends too early" if isinstance(error, EOFError) else f"mido: {error}"
        raise UnreadableFile(f"as MIDI it is damaged ({reason}). Export or download the file anew.") from error
    quarter = file.ticks_per_beat
    if quarter < 1:
        raise UnreadableFile(f"its division is {quarter}; only ticks per quarter (1..32767) are read. Export it anew.")
    raw = Raw([], ordered=False)
    first: dict[str, object] = {}
    metres: list[tuple[int, int, int]] = []
    for number, track in enumerate(file.tracks):
        now = 0
        name = ""
        open_notes: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        streams: dict[int, list[RawNote]] = defaultdict(list)
        for message in track:
            now = min(now + message.time, _LATEST)
            kind = message.type
            if kind in ("note_on", "note_off"):
                place = (message.channel, message.note)
                if kind == "note_on" and message.velocity:
                    open_notes[place].append(now)
                elif open_notes[place]:
                    begun = open_notes[place].popleft()
                    streams[message.channel].append(RawNote(begun / quarter, now / quarter, message.note))
            elif kind == "track_name":
                name = name or _decoded(message.name)
            elif kind == "time_signature":
                metres.append((now, message.numerator, message.denominator))
            elif kind in ("set_tempo", "key_signature"):
                first.setdefault(kind, message)
            elif kind == "text" and message.text.startswith(f"{MARK} {{"):
                raw.facts = raw.facts or message.text[len(MARK) + 1 :]
        for (channel, pitch), starts in open_notes.items():
            streams[channel] += [RawNote(begun / quarter, now / quarter, pitch) for begun in starts]
        drums = streams.pop(_DRUMS, None)
        if number == 0 and (file.type == 0 or not streams):
            raw.title, name = name, ""
        if streams or number and not drums:
            raw.parts.append(Part(name, [streams[channel] for channel in sorted(streams)]))
    # Without a tempo the MIDI standard means 120.
    raw.tempo = 60e6 / max(1, first["set_tempo"].tempo) if "set_tempo" in first else 120.0
    if "key_signature" in first:
        raw.key = _piece_key(first["key_signature"].key)
    if metres:
        metres.sort(key=lambda metre: metre[0])
        (_, beats, unit), *later = metres
        if later and metres[0][0] == 0 and 0 < later[0][0] == beats * 4 * quarter / unit:
            when, full_beats, full_unit = later[0]
            if beats * full_unit < full_beats * unit:
                raw.pickup, beats, unit = when / quarter, full_beats, full_unit
        raw.keep_metre((beats, unit), [metre[1:] for metre in later])
    return raw


def midi_native(piece: Piece) -> dict[str, object]:
    """What a reader finds in the native events of ``midi_bytes(piece)``."""
    return {
        "title": _text(piece.title),
        "key": None if piece.key is None else _piece_key(_mido_key(piece.key)),
        "tempo": 60e6 / _microseconds(piece.tempo),
        "time_signature": piece.time_signature,
        "voices": tuple(_text(name) for name in piece.voices),
    }


def _decoded(text: str) -> str:
    """mido reads text as Latin-1; most files hold UTF-8 today."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def _microseconds(tempo: float) -> int:
    return min(_SLOWEST, round(60e6 / tempo))


def _piece_key(name: str) -> str:
    """``"F#m"`` of mido as ``"F# minor"``."""
    return f"{name[:-1]} minor" if name.endswith("m") else f"{name} major"


def _text(text: str) -> str:
    """Text without the lone surrogates that no encoding can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _mido_key(key: str) -> str:
    """MIDI knows major and minor: another mode is given by the major key with its signature."""
    fifths = key_fifths(key)
    return (
        key_of_signature(fifths, "minor").split(" ")[0] + "m"
        if key.endswith("minor")
        else key_of_signature(fifths, "major")[:-6]
    )


def _partial_bar(piece: Piece) -> tuple[int, int] | None:
    """The pickup as a time signature of its own, in the metre's unit where it fits; None where there is none."""
    if not 0 < piece.pickup < len(piece):
        return None
    whole = 4 * piece.steps_per_quarter
    for unit in sorted({piece.time_signature[1], 4, 8, 16, 32, 64} - {1, 2} | {piece.time_signature[1]}):
        if unit >= piece.time_signature[1] and piece.pickup * unit % whole == 0 and piece.pickup * unit // whole < 256:
            return piece.pickup * unit // whole, unit
    return None
