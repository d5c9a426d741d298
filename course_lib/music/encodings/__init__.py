"""Piece ⇄ tensors, each encoding with its exact inverse."""

from course_lib.music.encodings.abc_tokens import (
    NotATune,
    abc_to_tokens,
    metre_in,
    pitches,
    tokens_to_abc,
    tokens_to_piece,
)
from course_lib.music.encodings.chords import (
    CHORDS,
    INPUTS,
    chord_piece,
    explained,
    half_bars,
    segments,
    transposed_chords,
    triads,
)
from course_lib.music.encodings.frames import (
    KEYS,
    LOWEST,
    frames_piece,
    pitch_sets,
    set_kinds,
    set_name,
    set_numbers,
    sets_piece,
    with_transposition,
)
from course_lib.music.encodings.phrases import (
    BASS,
    FIRST,
    HOLD,
    LONGEST_PHRASE,
    SOPRANO,
    Pairs,
    chord_pairs,
    on_beats,
    voice_pairs,
)
from course_lib.music.encodings.voices import (
    MINIBACH_RANGES,
    OneHot,
    PianoRoll,
    Tokens,
    VoiceRoll,
    transposed,
)
from course_lib.music.encodings.windows import SlidingWindow
