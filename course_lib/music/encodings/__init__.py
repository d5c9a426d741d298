"""Piece ⇄ tensors, each encoding with its exact inverse."""

from course_lib.music.encodings.abc_tokens import (
    NotATune,
    Vocabulary,
    abc_to_tokens,
    check_tokens,
    is_note,
    metre_in,
    tokens_to_abc,
    tokens_to_piece,
    tune_bars,
    tune_pitches,
)
from course_lib.music.encodings.chords import (
    CHORDS,
    INPUTS,
    NO_CHORD,
    chord_coverage,
    chord_piece,
    half_bars,
    segments,
    transposed_chords,
    triads,
)
from course_lib.music.encodings.frames import (
    ALL_SETS,
    KEYS,
    LOWEST,
    frames_piece,
    piano_frames,
    pitch_sets,
    set_kinds,
    set_name,
    set_numbers,
    sets_piece,
    with_transposition,
)
from course_lib.music.encodings.lead_sheets import (
    BAR,
    HALF,
    LOWEST_MELODY,
    MELODY_PITCHES,
    Bars,
    LeadSheet,
    bars_piece,
    chord_bars,
    chord_features,
    chord_number,
    chord_tone_share,
    lead_sheet,
)
from course_lib.music.encodings.phrases import (
    BASS,
    FIRST,
    GRID,
    HOLD,
    LONGEST_PHRASE,
    SOPRANO,
    Pairs,
    PhraseTokens,
    chord_pairs,
    on_beats,
    voice_pairs,
)
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot, PianoRoll, Tokens, VoiceRoll, transposed
from course_lib.music.encodings.windows import SlidingWindow
