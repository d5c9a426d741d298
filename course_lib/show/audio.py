"""Sound: a piece through sampled instruments, samples as MP3 or FLAC, and ``save``, which writes it as files."""

from __future__ import annotations

import base64
import importlib.util
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from course_lib.music.errors import MusicError
from course_lib.music.files import midi_bytes, musicxml, write_whole
from course_lib.music.piece import Piece
from course_lib.show import roll

SAMPLE_RATE = 16_000
"""Samples a second of everything this module makes. The font's reeds hold nothing above 8 kHz (-50 dB)."""

LONGEST = 600.0
"""Seconds of music that are turned into sound at most."""

INSTRUMENTS = {
    "piano": 0, "harpsichord": 6, "organ": 19, "guitar": 24, "violin": 40, "viola": 41, "cello": 42, "strings": 48,
    "choir": 52, "trumpet": 56, "trombone": 57, "tuba": 58, "horn": 60, "saxophone": 64, "oboe": 68,
    "english horn": 69, "bassoon": 70, "clarinet": 71, "flute": 73, "recorder": 74,
}  # fmt: skip
"""Names that ``synthesize`` knows, with their General MIDI number 0..127."""

REEDS = ("oboe", "clarinet", "english horn", "bassoon")
"""The default, a reed quartet: four distinct timbres, quick to speak, steady and in tune with each other."""

_TAIL = 1.0  # seconds after the last step, in which the last notes fade

_FADE = 0.4  # seconds at the very end

_LOUDNESS = -18.0  # dB below full scale, mean power of the sounding part

_CEILING = -1.0  # dB below full scale, no sample is louder


def synthesize(piece: Piece, instruments: str | int | Sequence[str | int] | None = None) -> tuple[np.ndarray, int]:
    """The sound of a piece: float32 (samples,), mono, and the sample rate in Hz.

    instruments: for all voices or one for each: names from ``INSTRUMENTS`` or General MIDI numbers 0..127.
        None takes ``REEDS``, from the highest voice on, in turn.
    The sound lasts ``piece.seconds`` and one second more. Its mean power is -18 dB of full scale, so that pieces
    are equally loud, and its peak -1 dB at most. Raises MusicError for an unknown instrument or above ``LONGEST``.
    """
    if piece.seconds > LONGEST:
        raise MusicError(
            f"the piece lasts {piece.seconds:.0f} s; sound is made for up to {LONGEST:.0f} s. "
            "Take a part of it with piece.window(start, length)."
        )
    samples = rendered(piece, programs(piece, instruments))
    fade = round(_FADE * SAMPLE_RATE)
    samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return level(samples), SAMPLE_RATE


def rendered(piece: Piece, numbers: Sequence[int]) -> np.ndarray:
    """What the sound font gives for a piece: float32 (samples,), mono, ``piece.seconds`` and one second, not levelled.

    numbers: a General MIDI number for each voice, as from ``programs``.
    """
    import midirenderer
    import soundfile

    wave = midirenderer.render_wave_from(_font(), midi_bytes(piece, programs=numbers, tail=_TAIL))
    stereo, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    samples = _fewer_samples((stereo[:, 0] + stereo[:, 1]) / 2, rate // SAMPLE_RATE)
    return samples[: round((piece.seconds + _TAIL) * SAMPLE_RATE)]


def mp3(samples: np.ndarray, sample_rate: int) -> bytes:
    """Samples as MP3 of about 25 kbit a second (variable rate, no gap at either end)."""
    return _encoded(samples, sample_rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.8)


def flac(samples: np.ndarray, sample_rate: int) -> bytes:
    """Samples as FLAC, 16 bits: six times the size of MP3, in a twentieth of the time."""
    return _encoded(samples, sample_rate, format="FLAC", subtype="PCM_16")


def save(
    piece: Piece,
    stem: str | Path,
    instruments: str | int | Sequence[str | int] | None = None,
    abc: str | None = None,
) -> None:
    """Writes MIDI, MusicXML and sound: ``save(piece, "results/10/bass")`` gives bass.mid, bass.musicxml and bass.mp3.

    stem: path without ending; its folder is made where it is missing. A relative one begins at the course's folder,
        also when the notebook that is running lies in notebooks/.
    instruments: as in ``synthesize``. abc: a tune's text, which is written as .abc beside the others.
    Each file is written whole or not at all. Prints where they are. Raises what ``synthesize`` raises.
    """
    here = Path.cwd()
    path = (here.parent if here.name == "notebooks" else here) / stem
    contents = {
        **({} if abc is None else {".abc": abc.encode()}),
        ".mid": midi_bytes(piece),
        ".mp3": mp3(*synthesize(piece, instruments)),
        ".musicxml": musicxml(piece).encode(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [write_whole(path.with_name(path.name + ending), data).name for ending, data in contents.items()]
    print(f"In {Path(stem).parent.as_posix()}: {', '.join(written)}")


def data_url(content: bytes, kind: str) -> str:
    """Bytes of a MIME type as a ``data:`` URL, which needs no server."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@lru_cache(maxsize=1)
def _font() -> bytes:
    """TimGM6mb.sf2 as the pretty_midi wheel carries it; the package itself is not imported, that takes long."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise MusicError("no instruments: the package pretty_midi, which carries them, is not installed. Install it.")
    return (Path(spec.origin).parent / "TimGM6mb.sf2").read_bytes()


def programs(piece: Piece, instruments: str | int | Sequence[str | int] | None) -> list[int]:
    """A General MIDI number for each voice."""
    count = len(piece.voices)
    if instruments is None:
        chosen: list[str | int] = [REEDS[roll.place(piece, voice) % len(REEDS)] for voice in range(count)]
    elif isinstance(instruments, (str, int)):
        chosen = [instruments] * count
    else:
        chosen = list(instruments)
    if len(chosen) != count:
        raise MusicError(f"{len(chosen)} instruments for {count} voices. Give one for all, or one for each.")
    for name in chosen:
        if name not in INSTRUMENTS and not (isinstance(name, int) and 0 <= name <= 127):
            raise MusicError(
                f"instrument {name!r} is unknown. Take a number 0..127 or one of {', '.join(INSTRUMENTS)}."
            )
    return [INSTRUMENTS.get(name, name) for name in chosen]  # type: ignore[misc]


def _fewer_samples(samples: np.ndarray, factor: int) -> np.ndarray:
    """Every ``factor``-th sample, after all that this rate cannot hold is cut off in the spectrum."""
    padded = np.pad(samples, (0, -len(samples) % (factor << 14)))  # a length that the FFT likes
    count = len(padded) // factor
    spectrum = np.fft.rfft(padded)[: count // 2 + 1]
    return (np.fft.irfft(spectrum, count) / factor).astype(np.float32)


def level(samples: np.ndarray) -> np.ndarray:
    """Samples at the common loudness. Silence stays silent."""
    block = SAMPLE_RATE // 10
    power = np.square(np.pad(samples, (0, -len(samples) % block)).reshape(-1, block)).mean(axis=1)
    peak = np.abs(samples).max()
    if peak < 1e-4:
        return samples
    sounding = power[power > power.max() / 100].mean()  # rests and the tail do not count
    gain = min(10 ** (_LOUDNESS / 20) / np.sqrt(sounding), 10 ** (_CEILING / 20) / peak)
    return samples * np.float32(gain)


def _encoded(samples: np.ndarray, sample_rate: int, **form: object) -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, sample_rate, **form)
    return out.getvalue()
