"""What has to be beaten: models that count, copy or project, without a network."""

from course_lib.music.baselines.frames import (
    ChordHistogram,
    IndependentNotes,
    NoteNgram,
    NoteUnigram,
    SetTable,
    conditional,
    mean_nats,
)
from course_lib.music.baselines.harmony import (
    CONTEXTS,
    ContextTables,
    chord_chain,
    most_frequent,
    nearest_neighbour,
    nearest_phrases,
    nearest_window,
    soprano_table,
)
from course_lib.music.baselines.hmm import HiddenMarkov
from course_lib.music.baselines.linear import PrincipalComponents
from course_lib.music.baselines.ngrams import KneserNey, perplexity
