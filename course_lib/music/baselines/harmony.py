"""Without a network: what a learned model has to beat.

*Harmonising.* Arrays are sounding MIDI pitches, int (windows, time_steps, voices), soprano first. Each function learns
from ``train`` and predicts, for ``sopranos`` (windows, time_steps), (windows, time_steps, voices − 1), the lower
voices. For phrases as rows of numbers there is ``BassTable``; for the chords below a melody, ``HiddenMarkov``.

*Composing.* ``chord_chain`` is a Markov chain of beats.

*Reconstructing.* ``nearest_window`` copies the most similar window; ``PrincipalComponents`` is the best linear code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from course_lib.music.encodings.phrases import BASS, GRID, HOLD, SILENCE, Pairs
from course_lib.music.encodings.voices import held_symbols
from course_lib.music.piece import Piece
from course_lib.symbols import END, PAD, START

_SPAN = 1000  # more than any number in a context
_PITCHES = 128


class BackoffTable:
    """p(symbol | context) by counting: each longer context is smoothed with the one that is shorter by one number.

        p(s | c_1 … c_k) = (count(c_1 … c_k, s) + a · p(s | c_1 … c_{k−1})) / (count(c_1 … c_k) + a)

    with p(s) of no context over the uniform distribution, and a the pseudo-count; a context that was never seen is
    answered by the shorter one. contexts: int (n, k), numbers 0..999, the most informative first. seen: int (n,), the
    symbol in each, 0..symbols − 1. pseudo_count 0: the longest known context decides alone.
    Source: MacKay & Peto, "A hierarchical Dirichlet language model" (1995). Notebook: 10.
    """

    def __init__(self, contexts: np.ndarray, seen: np.ndarray, symbols: int, pseudo_count: float = 4.0) -> None:
        a = self.pseudo_count = pseudo_count
        row = np.zeros(len(seen), np.int64)
        table = (np.bincount(seen, minlength=symbols) + a / symbols)[None] / (len(seen) + a)
        self.levels: list[tuple[np.ndarray, np.ndarray]] = []  # the contexts of each length, sorted; their tables
        self.shortest = table
        for column in np.asarray(contexts).T:
            level, row = np.unique(row * _SPAN + column, return_inverse=True)
            counts = np.bincount(row * symbols + seen, minlength=len(level) * symbols).reshape(-1, symbols)
            table = (counts + a * table[level // _SPAN]) / (counts.sum(1, keepdims=True) + a)
            self.levels.append((level, table.astype(np.float32)))

    def probabilities(self, contexts: np.ndarray) -> np.ndarray:
        """float (n, symbols) for contexts (n, k)."""
        row, known = np.zeros(len(contexts), np.int64), np.ones(len(contexts), bool)
        p = np.repeat(self.shortest, len(contexts), axis=0)
        for column, (level, table) in zip(np.asarray(contexts).T, self.levels, strict=True):
            code = row * _SPAN + column
            at = np.searchsorted(level, code).clip(max=len(level) - 1)
            known &= level[at] == code
            row = np.where(known, at, 0)
            p[known] = table[at[known]]
        return p


def most_frequent(train: np.ndarray, sopranos: np.ndarray) -> np.ndarray:
    """Each lower voice always on its most frequent pitch."""
    commonest = [np.bincount(train[..., voice].ravel()).argmax() for voice in range(1, train.shape[-1])]
    return np.broadcast_to(commonest, (*sopranos.shape, len(commonest))).copy()


def soprano_table(
    train: np.ndarray, sopranos: np.ndarray, context: Sequence[int] = (0,), transpositions: Iterable[int] = (0,)
) -> np.ndarray:
    """The most frequent pitch below the soprano's pitches at these distances, by a BackoffTable of each voice.

    context: distances in time steps, the most informative first: (0, -4, 4) is now, a beat ago, a beat ahead.
        Where the whole context was never seen, its last distance is dropped, and so on; the edges of a window repeat.
    transpositions: semitones by which the training set is transposed, too. Notebook: 02.
    """

    def contexts(sopranos: np.ndarray) -> np.ndarray:
        steps = np.arange(sopranos.shape[1])
        at = [(steps + distance).clip(0, len(steps) - 1) for distance in context]
        return np.stack([sopranos[:, place].ravel() for place in at], axis=1).clip(0, _PITCHES - 1)

    known = np.concatenate([train + shift for shift in transpositions])
    seen, wanted = contexts(known[..., 0]), contexts(sopranos)
    found = []
    for voice in range(1, train.shape[-1]):
        table = BackoffTable(seen, known[..., voice].ravel().clip(0, _PITCHES - 1), _PITCHES, pseudo_count=0)
        found.append(table.probabilities(wanted).argmax(1).reshape(sopranos.shape))
    return np.stack(found, axis=-1)


def nearest_neighbour(
    train: np.ndarray, sopranos: np.ndarray, transpositions: Iterable[int] = range(-12, 13)
) -> np.ndarray:
    """The lower voices of the training window whose soprano, transposed, agrees in most time steps."""
    found = np.empty((*sopranos.shape, train.shape[-1] - 1), int)
    best = np.full(len(sopranos), -1)
    for shift in transpositions:
        there = train + shift
        for i, soprano in enumerate(sopranos):
            agreeing = (there[..., 0] == soprano).sum(1)
            if agreeing.max() > best[i]:
                best[i], found[i] = agreeing.max(), there[agreeing.argmax(), :, 1:]
    return found


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
"""What a BassTable may condition on, in the order of the columns of ``bass_contexts``."""


def bass_contexts(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """int (phrases, steps, 6): for each number of ``target`` what ``CONTEXTS`` names, as whole numbers.

    Soprano: the pitch that sounds and whether it starts here. Bass: the pitch that sounded before, and whether it was
    held. Beat: 1 between two beats, counted from the phrase's first note. Notebook: 10.
    """
    source, target = np.atleast_2d(source), np.atleast_2d(target)
    # Each hold becomes twice the number that it holds, plus one; all other numbers are doubled.
    high, low = (2 * held_symbols(rows, HOLD, axis=1) + (rows == HOLD) for rows in (source, target))
    n, steps = target.shape

    def at(rows: np.ndarray, distance: int) -> np.ndarray:
        return np.pad(rows, ((0, 0), (2, 2)))[:, 2 + distance : 2 + distance + steps]

    beat = np.broadcast_to(np.arange(steps) % GRID, (n, steps))
    columns = (at(high, 0), at(low, -1), beat, at(high, 1), at(low, -2), at(high, 2))
    return np.stack(columns, axis=-1)


class BassTable(BackoffTable):
    """The bass below a soprano as a BackoffTable: p(bass number | context).

    known: what is counted. columns: of ``bass_contexts``, the most informative first. symbols: how many numbers the
    target has. Notebook: 10.
    """

    def __init__(
        self, known: Pairs, columns: Sequence[int] = (0, 1), pseudo_count: float = 4.0, symbols: int = BASS.symbols
    ) -> None:
        self.columns = list(columns)
        real = known.target != PAD
        seen = bass_contexts(known.source, known.target)[real][:, self.columns]
        super().__init__(seen, known.target[real], symbols, pseudo_count)

    def log_p(self, pairs: Pairs) -> np.ndarray:
        """float (phrases, steps, symbols): log p of every number, given the *true* bass before."""
        contexts = bass_contexts(pairs.source, pairs.target)[..., self.columns]
        flat = self.probabilities(contexts.reshape(pairs.target.size, len(self.columns)))
        return np.log(flat).reshape(*pairs.target.shape, -1)

    def write(self, source: np.ndarray) -> np.ndarray:
        """int32 (phrases, steps): the likeliest number each time, given what was written before; as long as source."""
        made = np.zeros(source.shape, np.int32)
        for t in range(source.shape[1]):
            p = self.probabilities(bass_contexts(source, made)[:, t, self.columns])
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


class HiddenMarkov:
    """p(states, counts) = p(s₁) ∏ p(s_t | s_{t−1}) ∏ p(c_t | s_t), all from counts in training pieces.

    states: int (steps,) each; a negative one is not counted. counts: float (steps, symbols) each, what is seen, for
    instance how long each pitch class sounds: p(c | s) = ∏ p(symbol | s)^count. size: number of states.
    smoothing: added to every count. weight: exponent of p(c | s), which is too sure of itself, since the notes
    of one step are not independent; choose it on validation pieces.

    Raises ValueError when there is no pair to learn from. Source: Rabiner, Proc. IEEE 77 (1989). Notebook: 09.
    """

    def __init__(
        self,
        states: Sequence[np.ndarray],
        counts: Sequence[np.ndarray],
        size: int,
        smoothing: float = 0.5,
        weight: float = 1.0,
    ) -> None:
        if not states or len(states) != len(counts):
            raise ValueError(f"{len(states)} rows of states for {len(counts)} pieces. Give one for each, at least one.")
        first = np.full(size, smoothing)
        move = np.full((size, size), smoothing)
        seen = np.full((size, counts[0].shape[1]), smoothing)
        for row, count in zip(states, counts, strict=True):
            known = row >= 0
            first[row[known][:1]] += 1
            pairs = known[:-1] & known[1:]
            np.add.at(move, (row[:-1][pairs], row[1:][pairs]), 1)
            np.add.at(seen, row[known], count[known])
        self.first = np.log(first / first.sum())
        self.move = np.log(move / move.sum(axis=1, keepdims=True))
        self.seen = np.log(seen / seen.sum(axis=1, keepdims=True))
        self.weight = weight

    def likeliest(self, counts: np.ndarray) -> np.ndarray:
        """int (steps,): the one path of states with the highest probability, by the Viterbi algorithm.

        counts: float (steps, symbols).
        """
        fits = self.weight * np.asarray(counts, float) @ self.seen.T
        best, came = self.first + fits[0], []
        for fit in fits[1:]:
            through = best[:, None] + self.move
            came.append(through.argmax(axis=0))
            best = through.max(axis=0) + fit
        path = [int(best.argmax())]
        for row in reversed(came):
            path.append(int(row[path[-1]]))
        return np.array(path[::-1])


class PrincipalComponents:
    """The linear autoencoder with the least squared error: code = (x − mean) Vᵀ, x ≈ mean + code V.

    x: float (examples, inputs). size: numbers in a code. seed: where the search begins.

    V (size, inputs) is found by subspace iteration: a random start is multiplied by XᵀX ``passes`` times, which leaves
    the directions of greatest variance. Raises ValueError when size is not within 1..min(x.shape).
    Halko, Martinsson & Tropp 2011, arXiv:0909.4061. Notebook: 03.
    """

    def __init__(self, x: np.ndarray, size: int, passes: int = 6, seed: int = 0) -> None:
        if not 1 <= size <= min(x.shape):
            raise ValueError(f"size is {size}; {x.shape[0]} examples of {x.shape[1]} numbers allow 1..{min(x.shape)}.")
        self.mean = x.mean(0, dtype=np.float32)
        # A few directions more than asked for make the last ones exact, too.
        basis = np.random.default_rng(seed).normal(size=(x.shape[1], min(size + 16, *x.shape))).astype(np.float32)
        for _ in range(passes):
            basis = np.linalg.qr(basis)[0]
            basis = self._back(x, self._projected(x, basis))
        basis = np.linalg.qr(basis)[0]
        seen = self._projected(x, basis)
        within = np.linalg.eigh(seen.T @ seen)[1][:, ::-1]
        self.components = (basis @ within).T[:size]

    def _projected(self, x: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """(x − mean) basis, without a copy of x."""
        return x @ basis - self.mean @ basis

    def _back(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return x.T @ seen - np.outer(self.mean, seen.sum(0))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """(examples, inputs) → (examples, size)."""
        return (x - self.mean) @ self.components.T

    def decode(self, code: np.ndarray) -> np.ndarray:
        """(examples, size) → (examples, inputs)."""
        return self.mean + code @ self.components
