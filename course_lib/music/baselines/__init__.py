"""What has to be beaten: models that count, copy or project, without a network."""

from course_lib.music.baselines.frames import ChordHistogram, NoteNgram, NoteUnigram, conditional, mean_nats
from course_lib.music.baselines.harmony import (
    CONTEXTS,
    BackoffTable,
    BassTable,
    HiddenMarkov,
    PrincipalComponents,
    chord_chain,
    most_frequent,
    nearest_neighbour,
    nearest_phrases,
    nearest_window,
    soprano_table,
)
from course_lib.music.baselines.ngrams import KneserNey, perplexity
