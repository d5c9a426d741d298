"""Music as data: pieces, files, datasets, encodings, metrics. Imports no neural network."""

from course_lib.music.datasets import (
    DATASETS,
    Split,
    Tune,
    celtic_tunes,
    chorale_frames,
    chorale_phrases,
    chorale_windows,
    chorales,
    tune_phrases,
    windows,
)
from course_lib.music.files import midi_bytes, read, read_bytes, read_many, write_midi, write_musicxml
from course_lib.music.keys import estimate_key, key_profile, shift_to_c
from course_lib.music.piece import (
    GRID,
    PITCH_CLASSES,
    REST,
    SATB,
    MusicError,
    Note,
    Piece,
    PitchOutOfRange,
    WrongMetre,
    WrongVoices,
    eighths,
    key_name,
    note_name,
    note_number,
    pitch_class,
)
