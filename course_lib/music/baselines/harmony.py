"""Without a network: what a learned model has to beat.

*Harmonising.* Arrays are sounding MIDI pitches, int (windows, time_steps, voices), soprano first. Each function learns
from ``train`` and answers for ``sopranos`` (windows, time_steps) with (windows, time_steps, voices − 1), the lower
voices.

*Composing.* ``chord_chain`` is a Markov chain of beats.

*Reconstructing.* ``nearest_window`` copies the most similar window; ``PrincipalComponents`` is the best linear code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from course_lib.music.encodings.phrases import BASS, SILENCE, Pairs, _held
from course_lib.music.piece import GRID, Piece
from course_lib.symbols import END, PAD, START

PITCHES = 128


def most_frequent(train: np.ndarray, sopranos: np.ndarray) -> np.ndarray:
    """Each lower voice always on its most frequent pitch."""
    commonest = [np.bincount(train[..., voice].ravel()).argmax() for voice in range(1, train.shape[-1])]
    return np.broadcast_to(commonest, (*sopranos.shape, len(commonest))).copy()


def soprano_table(
    train: np.ndarray,
    sopranos: np.ndarray,
    context: Sequence[int] = (0,),
    transpositions: Iterable[int] = (0,),
) -> np.ndarray:
    """The pitch most often heard below the soprano's pitch at these distances.

    context: distances in time steps, the most telling first: (0, -4, 4) is now, a beat ago, a beat ahead.
        Where the whole context was never seen, its last distance is dropped, and so on.
    transpositions: semitones by which the training set is also shown.
    """
    shifts = np.fromiter(transpositions, int)
    heard = (train[None] + shifts[:, None, None, None]).reshape(-1, *train.shape[1:])
    answer = most_frequent(train, sopranos)
    for size in range(1, len(context) + 1):
        seen, where = np.unique(_contexts(heard[..., 0], context[:size]), return_inverse=True)
        asked = _contexts(sopranos, context[:size])
        at = np.searchsorted(seen, asked).clip(max=len(seen) - 1)
        known = seen[at] == asked
        for voice in range(1, train.shape[-1]):
            counts = np.zeros((len(seen), PITCHES), np.int32)
            np.add.at(counts, (where.ravel(), heard[..., voice].ravel().clip(0, PITCHES - 1)), 1)
            answer[..., voice - 1][known] = counts.argmax(1)[at[known]]
    return answer


def _contexts(sopranos: np.ndarray, distances: Sequence[int]) -> np.ndarray:
    """int64 (windows, time_steps): one number for the pitches at these distances; the edges repeat."""
    steps = np.arange(sopranos.shape[1])
    code = np.zeros(sopranos.shape, np.int64)
    for distance in distances:
        code = code * PITCHES + sopranos[:, (steps + distance).clip(0, len(steps) - 1)]
    return code


def nearest_neighbour(
    train: np.ndarray, sopranos: np.ndarray, transpositions: Iterable[int] = range(-12, 13)
) -> np.ndarray:
    """The lower voices of the training window whose soprano, transposed, agrees in most time steps."""
    answer = np.empty((*sopranos.shape, train.shape[-1] - 1), int)
    best = np.full(len(sopranos), -1)
    for shift in transpositions:
        moved = train + shift
        for i, soprano in enumerate(sopranos):
            agreeing = (moved[..., 0] == soprano).sum(1)
            if agreeing.max() > best[i]:
                best[i], answer[i] = agreeing.max(), moved[agreeing.argmax(), :, 1:]
    return answer


def nearest_window(train: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each of the wanted windows the training window that agrees with it in most cells.

    train, wanted: int (windows, time_steps, voices), for instance sounding pitches; a cell is one voice in one step.
    Returns int (wanted,): indices into ``train``; of several equally near, the first. Notebook: 03.
    """
    rows = train.reshape(len(train), -1)
    return np.array([(rows == one.ravel()).sum(1).argmax() for one in wanted])


def chord_chain(train: Sequence[Piece], count: int, seed: int = 0) -> list[Piece]:
    """A Markov chain of beats: each next beat is one that followed the same chord somewhere in the training windows.

    train: windows of one length and grid. The chord is what sounds in the last step of a beat; a beat starts on a
    multiple of a quarter note. Each of the ``count`` pieces begins with the first beat of a training window, is as
    long as a window, and is cut off when a chord was never followed by anything, to begin again.
    Source: Hiller & Isaacson (1957) used such chains. Notebook: 04.
    """
    rng = np.random.default_rng(seed)
    beat = train[0].steps_per_quarter
    follows: dict[bytes, list[tuple[int, int]]] = {}
    for index, piece in enumerate(train):
        for step in range(beat, len(piece), beat):
            follows.setdefault(piece.pitch[step - 1].tobytes(), []).append((index, step))
    made: list[Piece] = []
    while len(made) < count:
        beats = [(int(rng.integers(len(train))), 0)]
        while len(beats) < len(train[0]) // beat:
            index, step = beats[-1]
            choices = follows.get(train[index].pitch[step + beat - 1].tobytes())
            if not choices:
                break
            beats.append(choices[rng.integers(len(choices))])
        else:
            pitch, onset = (
                np.concatenate([getattr(train[index], name)[step : step + beat] for index, step in beats])
                for name in ("pitch", "onset")
            )
            made.append(replace(train[0], pitch=pitch, onset=onset, title="Markov chain", key=None, fermata=None))
    return made


CONTEXTS = ("soprano now", "bass before", "beat", "soprano next", "bass before that", "soprano after next")
"""What a table may look at, in the order of the columns of ``contexts``."""


def contexts(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """int (phrases, steps, 6): for each number of ``target`` what ``CONTEXTS`` names, as whole numbers.

    Soprano: the pitch that sounds and whether it is struck. Bass: the pitch that sounded before, and whether it was
    held. Beat: 1 between two beats, counted from the phrase's first note.
    """
    source, target = np.atleast_2d(source), np.atleast_2d(target)
    high, low = _held(source), _held(target)
    n, steps = target.shape

    def later(rows: np.ndarray, by: int) -> np.ndarray:
        return np.pad(rows, ((0, 0), (0, by)))[:, by : by + steps]

    def before(rows: np.ndarray, by: int) -> np.ndarray:
        return np.pad(rows, ((0, 0), (by, 0)))[:, :steps]

    beat = np.broadcast_to(np.arange(steps) % GRID, (n, steps))
    columns = (later(high, 0), before(low, 1), beat, later(high, 1), before(low, 2), later(high, 2))
    return np.stack(columns, axis=-1)


class ContextTables:
    """p(bass number | context) by counting: each longer context leans on the shorter one.

        p(b | c_1 … c_k) = (count(c_1 … c_k, b) + lean · p(b | c_1 … c_{k−1})) / (count(c_1 … c_k) + lean)

    with p(b) of no context over the uniform distribution. pairs: what is counted. columns: of ``contexts``, the most
    telling first. lean: so many imagined examples of the shorter context. symbols: how many numbers there are to say.
    Source: MacKay & Peto, "A hierarchical Dirichlet language model" (1995). Notebook: 10.
    """

    def __init__(
        self, known: Pairs, columns: Sequence[int] = (0, 1), lean: float = 4.0, symbols: int = BASS.symbols
    ) -> None:
        self.columns, self.lean, self.symbols = tuple(columns), lean, symbols
        seen = contexts(known.source, known.target)
        real = known.target != PAD
        asked = known.target[real]
        self.levels: list[np.ndarray] = []
        self.tables: list[np.ndarray] = []
        table = (np.bincount(asked, minlength=self.symbols) + lean / self.symbols)[None] / (len(asked) + lean)
        self.shortest, row = table, np.zeros(len(asked), np.int64)
        for column in self.columns:
            code = row * 1000 + seen[..., column][real]
            level, first, row = np.unique(code, return_index=True, return_inverse=True)
            counts = np.bincount(row * self.symbols + asked, minlength=len(level) * self.symbols)
            counts = counts.reshape(len(level), self.symbols)
            shorter = table[level // 1000]
            table = (counts + lean * shorter) / (counts.sum(1, keepdims=True) + lean)
            self.levels.append(level)
            self.tables.append(table.astype(np.float32))

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """float (n, symbols) for contexts (n, 6); a context that was never seen passes on to the shorter one."""
        row = np.zeros(len(seen), np.int64)
        p = np.repeat(self.shortest, len(seen), axis=0)
        known = np.ones(len(seen), bool)
        for column, level, table in zip(self.columns, self.levels, self.tables, strict=True):
            code = row * 1000 + seen[:, column]
            at = np.searchsorted(level, code).clip(max=len(level) - 1)
            known &= level[at] == code
            row = np.where(known, at, 0)
            p[known] = table[at[known]]
        return p

    def log_p(self, asked: Pairs) -> np.ndarray:
        """float (phrases, steps, symbols): log p of every number, given the *true* bass before."""
        seen = contexts(asked.source, asked.target)
        flat = self.probabilities(seen.reshape(-1, seen.shape[-1]))
        return np.log(flat).reshape(*asked.target.shape, self.symbols)

    def write(self, source: np.ndarray) -> np.ndarray:
        """int32 (phrases, steps): the likeliest number each time, given what was written before; as long as source."""
        made = np.zeros(source.shape, np.int32)
        for t in range(source.shape[1]):
            p = self.probabilities(contexts(source, made)[:, t]).copy()
            p[:, [PAD, START, END]] = 0
            made[:, t] = np.where(source[:, t] == PAD, PAD, np.where(source[:, t] == END, END, p.argmax(1)))
        return made


def nearest_phrases(known: Pairs, source: np.ndarray) -> np.ndarray:
    """int32 (phrases, steps): the bass of the known phrase of this length whose soprano agrees in most numbers.

    Where no known phrase has the length, the bass holds nothing and rests. Notebook: 10.
    """
    made = np.zeros(source.shape, np.int32)
    long = (known.source != PAD).sum(1)
    for row, out in zip(source, made, strict=True):
        steps = (row != PAD).sum()
        same = np.flatnonzero(long == steps)
        if len(same):
            out[:] = known.target[same[(known.source[same] == row).sum(1).argmax()]]
        else:
            out[: steps - 1], out[steps - 1] = SILENCE, END
    return made
