"""Music as data: pieces, files, datasets, encodings, baselines, measures. Imports no neural network."""

from course_lib.music.datasets import (
    DATASETS,
    Split,
    Tune,
    celtic_tunes,
    celtic_vocabulary,
    chorale_frames,
    chorale_phrases,
    chorale_windows,
    chorales,
    tune_phrases,
    windows,
    without_rests,
)
from course_lib.music.errors import MusicError, MusicWarning, PitchOutOfRange, WrongMetre, WrongVoices
from course_lib.music.files import (
    midi_bytes,
    read,
    read_bytes,
    read_lead_sheet,
    read_many,
    write_midi,
    write_musicxml,
)
from course_lib.music.keys import (
    PITCH_CLASSES,
    estimate_key,
    key_name,
    key_profile,
    note_name,
    note_number,
    pitch_class,
    shift_to_c,
)
from course_lib.music.piece import REST, SATB, Note, Piece
