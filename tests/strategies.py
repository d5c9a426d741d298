"""Random music for property-based tests."""

import math

import numpy as np
from hypothesis import strategies as st

from course_lib.music.keys import MODES
from course_lib.music.piece import REST, Piece

KEYS = tuple(f"{letter}{sign} {mode}" for letter in "CDEFGAB" for sign in ("", "#", "b") for mode in MODES)


@st.composite
def pieces(
    draw: st.DrawFn,
    steps: tuple[int, int] = (1, 40),
    voices: tuple[int, int] = (1, 5),
    pitches: tuple[int, int] = (0, 127),
    steps_per_quarter: st.SearchStrategy[int] | None = None,
    text: st.SearchStrategy[str] | None = None,
) -> Piece:
    """Any valid Piece: rests, repeated notes, unisons, crossings, held starts, odd metres, pickups, fermatas.

    steps, voices, pitches: least and greatest. text: titles and voice names.
    """
    length = draw(st.integers(*steps))
    count = draw(st.integers(*voices))
    grids = st.sampled_from((1, 2, 3, 4, 4, 4, 6, 8, 12, 24)) | st.integers(1, 480)
    grid = draw(grids if steps_per_quarter is None else steps_per_quarter)
    words = st.text(max_size=8) if text is None else text

    # A few pitches a piece, so that repetitions, unisons and crossings are common.
    stock = draw(st.lists(st.integers(*pitches), min_size=1, max_size=6))
    sound = st.tuples(st.integers(1, 9), st.sampled_from([REST, *stock]))
    pitch = np.full((length, count), REST, np.int16)
    onset = np.zeros((length, count), bool)
    for voice in range(count):
        step = 0
        for lasts, height in draw(st.lists(sound, max_size=16)):
            if step < length and height != REST:
                pitch[step : step + lasts, voice] = height
                onset[step, voice] = True
            step += lasts
        if onset[0, voice] and draw(st.booleans()):
            onset[0, voice] = False  # held from before the piece

    unit = draw(st.sampled_from((1, 2, 4, 4, 4, 8, 8, 16, 32, 64)))
    whole = unit // math.gcd(unit, 4 * grid)  # beats that make a whole number of steps
    beats = whole * draw(st.integers(1, min(8, 64 // whole)) | st.integers(1, 64 // whole))
    bar = beats * 4 * grid // unit
    return Piece(
        pitch,
        onset,
        steps_per_quarter=grid,
        title=draw(words),
        key=draw(st.none() | st.sampled_from(KEYS)),
        time_signature=(beats, unit),
        pickup=draw(st.just(0) | st.integers(0, min(bar - 1, length + 3)) | st.integers(0, bar - 1)),
        tempo=draw(st.sampled_from((60.0, 80.0, 120.0)) | st.floats(1, 1000)),
        voices=draw(st.just(()) | st.lists(words, min_size=count, max_size=count).map(tuple)),
        fermata=np.isin(np.arange(length), draw(st.lists(st.integers(0, length - 1), max_size=6))),
    )
