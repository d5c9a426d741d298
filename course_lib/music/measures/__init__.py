"""Is it music? Is it a copy? Measures of pieces, and how far two groups of pieces are apart."""

from course_lib.music.measures.copies import CopyDetector
from course_lib.music.measures.metrics import (
    MEASURES,
    Smoothness,
    Spread,
    consonance,
    harmonic_distance,
    interpolation_smoothness,
    last_step,
    mean_smoothness,
    measurements,
    note_density,
    parallel_fifths,
    parallel_octaves,
    parallels,
    pitch_accuracy,
    pitch_class_entropy,
    polyphony,
    polyphony_rate,
    repetition,
    scale_consistency,
    spread,
    tone_span,
    voice_accuracy,
    voice_crossings,
    within,
)
from course_lib.music.measures.realism import (
    FeatureSpace,
    Neighbours,
    Realism,
    TwoSample,
    agreement,
    binomial_interval,
    fragmentation,
    frechet_distance,
    neighbours,
    realism_row,
    two_sample_test,
    window_features,
)
from course_lib.music.measures.structure import (
    Template,
    correlation,
    in_key,
    onset_profile,
    same_structure,
    self_similarity,
    template,
)
from course_lib.music.measures.tunes import (
    complete_bars,
    ends_on_tonic,
    is_aabb,
    longest_shared_runs,
    melody,
    parses,
    sections,
)
from course_lib.music.measures.voice_leading import NoParallels, voice_leading_violations
