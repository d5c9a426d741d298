"""Can one see that it was generated? Two-sample test, neighbours, Fréchet distance, collapse, fragments.

No figure means anything alone. Beside each model stand a *null row* (real training windows in its place), the
baselines, and the copy check: a chain that copies passes every test here. Take windows that do not overlap, each in one
key: neighbours of near-copies are so near that even real windows miss them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from course_lib.music.keys import key_profile
from course_lib.music.piece import REST, MusicError, Piece, WrongMetre, WrongVoices

_LARGEST_STEP = 6  # semitones; a larger step of a voice counts as one of these


def window_features(pieces: Sequence[Piece]) -> np.ndarray:
    """float (pieces, features): what the judges know of a window; shares, so that any length can be compared.

    For V voices and a grid of S steps a quarter, in this order: time of each of 12 pitch classes, above the tonic of
    the major key that fits best; of 12 intervals (without octaves) for each pair of voices; of the 13 steps
    −6..6 semitones that a voice takes to a new note, for each voice; onsets at each of the S places in a quarter, for
    each voice; steps in which 0..V voices have an onset; mean pitch of each voice in octaves from middle C; crossings
    of neighbouring voices; parallel fifths and octaves. Four voices in sixteenths: 164. A rest takes part in nothing,
    and a note that was held from before the window begins with it.

    Raises WrongVoices or WrongMetre for pieces that differ in voices or grid. Notebook: 07.
    """
    voices, grids = {p.pitch.shape[1] for p in pieces}, {p.steps_per_quarter for p in pieces}
    if len(voices) != 1:
        raise WrongVoices(f"the pieces have {sorted(voices)} voices; give all of them the same number.")
    if len(grids) != 1:
        raise WrongMetre(f"the pieces have {sorted(grids)} steps per quarter; bring them to one grid.")
    lengths = np.array([len(p) for p in pieces])
    found: list[np.ndarray] = [np.empty(0)] * len(pieces)
    for length in np.unique(lengths):
        group = np.flatnonzero(lengths == length)
        pitch = np.stack([pieces[i].pitch for i in group]).astype(int)
        onset = np.stack([pieces[i].onset for i in group])
        for i, row in zip(group, _features(pitch, onset, *grids), strict=True):
            found[i] = row
    return np.stack(found)


def _features(pitch: np.ndarray, onset: np.ndarray, grid: int) -> np.ndarray:
    """pitch, onset: (windows, steps, voices) → (windows, features)."""
    n, _, voices = pitch.shape
    sounds = pitch != REST
    onset = np.concatenate([sounds[:, :1], onset[:, 1:]], axis=1)

    def shares(values: np.ndarray, counted: np.ndarray, kinds: Sequence[int]) -> np.ndarray:
        """(windows, kinds): of the counted cells, how many have each value."""
        values, counted = values.reshape(n, -1), counted.reshape(n, -1)
        hits = np.stack([((values == kind) & counted).sum(1) for kind in kinds], axis=1)
        return hits / np.maximum(counted.sum(1, keepdims=True), 1)

    chroma = shares(pitch % 12, sounds, range(12))
    fits = chroma @ np.stack([np.roll(key_profile("C major"), tonic) for tonic in range(12)], axis=1)
    found = [np.take_along_axis(chroma, (fits.argmax(1)[:, None] + np.arange(12)) % 12, axis=1)]
    pairs = list(combinations(range(voices), 2))
    interval = {(a, b): (pitch[..., a] - pitch[..., b]) % 12 for a, b in pairs}
    both = {(a, b): sounds[..., a] & sounds[..., b] for a, b in pairs}
    found += [shares(interval[pair], both[pair], range(12)) for pair in pairs]
    step = np.where(sounds[:, 1:] & sounds[:, :-1], np.diff(pitch, axis=1), 0).clip(-_LARGEST_STEP, _LARGEST_STEP)
    moves = onset[:, 1:] & sounds[:, :-1]
    kinds = range(-_LARGEST_STEP, _LARGEST_STEP + 1)
    found += [shares(step[..., voice], moves[..., voice], kinds) for voice in range(voices)]
    places = [onset[:, place::grid] for place in range(grid)]  # (windows, quarters, voices) each
    found += [place.sum(axis=1) / max(place.shape[1], 1) for place in places]
    found.append(shares(onset.sum(2), np.ones(onset.shape[:2], bool), range(voices + 1)))
    octave = np.where(sounds, pitch - 60, 0).sum(1) / np.maximum(sounds.sum(1), 1) / 12
    crossed = [((pitch[..., v] < pitch[..., v + 1]) & both[v, v + 1]).mean(1) for v in range(voices - 1)]
    parallel = np.zeros((n, 2))
    for column, wanted in enumerate((7, 0)):
        for a, b in pairs:
            at = (interval[a, b] == wanted) & both[a, b]
            together = (step[..., a] != 0) & (np.sign(step[..., a]) == np.sign(step[..., b]))
            parallel[:, column] += (at[:, 1:] & at[:, :-1] & together).mean(1)
    return np.concatenate([*found, octave, np.sum(crossed, axis=0).reshape(-1, 1) + np.zeros((n, 1)), parallel], axis=1)


class FeatureSpace:
    """Features standardised by the training windows and turned to their principal components.

    training: windows; components: how many of them stay. ``space(pieces)`` → float (pieces, components). Notebook: 07.
    """

    def __init__(self, training: Sequence[Piece], components: int = 24) -> None:
        features = window_features(training)
        self.mean, self.spread = features.mean(0), features.std(0) + 1e-3
        _, _, axes = np.linalg.svd((features - self.mean) / self.spread, full_matrices=False)
        self.axes = axes[:components].T

    def __call__(self, pieces: Sequence[Piece]) -> np.ndarray:
        return (window_features(pieces) - self.mean) / self.spread @ self.axes


class Neighbours(NamedTuple):
    """How two groups of points lie among each other, each share 0..1, density 0 or more.

    precision: made points within the ball of a real one, a ball reaching to the k-th nearest of its own group.
    recall: real points within the ball of a made one.
    density: balls of real points around a made point, / k: 1 on average where both groups are alike.
    coverage: real points whose ball holds a made one.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbours(real: np.ndarray, made: np.ndarray, k: int = 5) -> Neighbours:
    """Precision, recall, density and coverage of points (n, d) among real ones, from their k nearest neighbours.

    Copies among the real points make balls of radius 0. Raises MusicError where a group has no more than k points.
    Sources: Kynkäänniemi et al., arXiv:1904.06991; Naeem et al., arXiv:2002.09797. Notebook: 07.
    """
    if min(len(real), len(made)) <= k:
        raise MusicError(f"{len(real)} real and {len(made)} made points; k={k} neighbours need more of each.")

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))

    apart = distances(real, made)
    real_ball, made_ball = (np.sort(distances(group, group), axis=1)[:, k] for group in (real, made))
    inside = apart < real_ball[:, None]
    return Neighbours(
        float(inside.any(axis=0).mean()),
        float((apart < made_ball).any(axis=1).mean()),
        float(inside.sum(axis=0).mean() / k),
        float((apart.min(axis=1) < real_ball).mean()),
    )


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between two groups of points (n, d), each taken for a Gaussian: ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½).

    Source: Dowson & Landau (1982), doi:10.1016/0047-259X(82)90077-X. Notebook: 07.
    """
    cov_a, cov_b = (np.atleast_2d(np.cov(group, rowvar=False)) for group in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * shared)


def agreement(pieces: Sequence[Piece]) -> float:
    """Share of the (time step, voice) cells that sound the same in two of the pieces, the mean over all pairs, 0..1.

    1 where all are one piece: a generator that has collapsed. Pieces of one shape. Notebook: 07.
    """
    if len(pieces) < 2:
        raise MusicError(f"{len(pieces)} pieces have no pair. Give at least two.")
    pitch = np.stack([piece.pitch.ravel() for piece in pieces])
    equal = [(pitch[i] == pitch[:i]).mean(axis=1) for i in range(1, len(pitch))]
    return float(np.concatenate(equal).mean())


def fragmentation(pieces: Sequence[Piece]) -> float:
    """Share of the notes that last one time step, over all pieces, 0..1; NaN where there is no note. A note that was
    held from before a piece begins with it.

    The complement of the qualified note rate of Dong & Yang, arXiv:1804.09399. Notebook: 07.
    """
    lengths = [note.length for piece in pieces for note in piece.notes()]
    return lengths.count(1) / len(lengths) if lengths else float("nan")


def binomial_interval(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share, from ``right`` of ``count`` answers (Wilson's); it lies within 0..1. Notebook: 07."""
    z2, share = 1.96**2 / count, right / count
    middle, half = share + z2 / 2, (z2 * share * (1 - share) + z2**2 / 4) ** 0.5
    return (middle - half) / (1 + z2), (middle + half) / (1 + z2)


class TwoSample(NamedTuple):
    """Two-sample test: share of the windows that the judge puts right.

    accuracy: 0.5: it cannot distinguish them; 1: it always can. low, high: binomial interval. count: windows judged.
    judge: "logistic" or "network", the one that was better on windows kept back while it learnt.
    """

    accuracy: float
    low: float
    high: float
    count: int
    judge: str

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} ({self.low:.2f}–{self.high:.2f})"


Judge = Callable[[np.ndarray], np.ndarray]
"""Features (n, F) → how real each window looks, (n,); above 0: real."""


def _logistic(x: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> Judge:
    """Logistic regression with a penalty on its weights, by Newton's method."""
    ones = np.ones((len(x), 1))
    x, weights = np.hstack([x, ones]), np.zeros(x.shape[1] + 1)
    for _ in range(12):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        curvature = (x * (p * (1 - p) + 1e-6)[:, None]).T @ x / len(x) + 1e-2 * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, x.T @ (p - real) / len(x) + 1e-2 * weights)
    return lambda seen: seen @ weights[:-1] + weights[-1]


def _network(x: np.ndarray, real: np.ndarray, rng: np.random.Generator, units: int = 32, epochs: int = 15) -> Judge:
    """One hidden layer of ReLU units, trained by Adam with weight decay."""
    w = [rng.normal(size=(x.shape[1], units)) * np.sqrt(2 / x.shape[1]), np.zeros(units), np.zeros(units), np.zeros(1)]
    first, second = [np.zeros_like(part) for part in w], [np.zeros_like(part) for part in w]
    step = 0
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(x)), max(len(x) // 64, 1)):
            hidden = np.maximum(x[batch] @ w[0] + w[1], 0)
            error = (1 / (1 + np.exp(-np.clip(hidden @ w[2] + w[3], -30, 30))) - real[batch]) / len(batch)
            back = error[:, None] * w[2] * (hidden > 0)
            slopes = [x[batch].T @ back, back.sum(0), hidden.T @ error, error.sum(keepdims=True)]
            step += 1
            for part, slope, m, v in zip(w, slopes, first, second, strict=True):
                m += 0.1 * (slope - m)
                v += 0.001 * (slope**2 - v)
                part -= 3e-3 * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + 0.03 * part)
    return lambda seen: np.maximum(seen @ w[0] + w[1], 0) @ w[2] + w[3]


JUDGES = {"logistic": _logistic, "network": _network}
"""Name → judge: learns from features (n, F) and real (n,), 0 or 1."""


def two_sample_test(
    real: Sequence[Piece],
    made: Sequence[Piece],
    unseen_real: Sequence[Piece],
    unseen_made: Sequence[Piece],
    seed: int = 0,
) -> TwoSample:
    """How well does a judge tell made windows from real ones, none of which it has seen?

    real, made: windows that the judges learn from, about as many of each; of both, the last fifth only chooses the
        better judge. unseen_real, unseen_made: windows of other pieces, as many of each, that it is tested on.
    seed: of the network.

    Windows of one piece are not independent, so the interval is a little too narrow. Raises MusicError when a window
    is on both sides, or a side is empty. Source: Lopez-Paz & Oquab, arXiv:1610.06545. Notebook: 07.
    """
    groups = [list(group) for group in (real, made, unseen_real, unseen_made)]
    if min(map(len, groups)) < 5:
        raise MusicError(f"{[len(group) for group in groups]} windows; give at least 5 of each.")

    def which(piece: Piece) -> tuple[str, bytes, bytes]:
        return piece.title, piece.pitch.tobytes(), piece.onset.tobytes()

    seen, objects = {which(piece) for piece in groups[0]}, {id(piece) for piece in groups[1]}
    twice = sum(which(piece) in seen for piece in groups[2]) + sum(id(piece) in objects for piece in groups[3])
    if twice:
        raise MusicError(f"{twice} windows are among those that the judge learns from. Test it on other pieces.")
    features = window_features(sum(groups, []))
    parts = np.split(features, np.cumsum([len(group) for group in groups])[:-1])
    learn, choose = zip(*(np.split(part, [len(part) * 4 // 5]) for part in parts[:2]), strict=True)
    mean, spread = np.concatenate(learn).mean(0), np.concatenate(learn).std(0) + 1e-6

    def labelled(pair: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return (np.concatenate(pair) - mean) / spread, np.repeat([1.0, 0.0], [len(part) for part in pair])

    def right(judge: Judge, pair: Sequence[np.ndarray]) -> np.ndarray:
        x, answer = labelled(pair)
        return (judge(x) > 0) == (answer > 0)

    judges = {name: make(*labelled(learn), np.random.default_rng(seed)) for name, make in JUDGES.items()}
    best = max(judges, key=lambda name: right(judges[name], choose).mean())
    judged = right(judges[best], parts[2:])
    return TwoSample(float(judged.mean()), *binomial_interval(int(judged.sum()), len(judged)), len(judged), best)


class Realism(NamedTuple):
    """One row of the table: ``TwoSample``, ``Neighbours``, and what the functions of these names give."""

    two_sample: TwoSample
    neighbours: Neighbours
    frechet_distance: float
    agreement: float
    fragmentation: float


def realism_row(
    space: FeatureSpace, valid: Sequence[Piece], test: Sequence[Piece], made: Sequence[Piece], seed: int = 0
) -> Realism:
    """All measures of this module for made windows.

    space: of the training windows. valid: real windows that the judges learn from; test: real windows that do not
    overlap. made: as many as both together; the first len(valid) are what the judges learn from, the others are
    measured. Raises MusicError when there are too few. Notebook: 07.
    """
    if len(made) < len(valid) + len(test):
        raise MusicError(f"{len(made)} made windows; {len(valid)} + {len(test)} are needed, as many as real ones.")
    learnt, judged = made[: len(valid)], made[len(valid) : len(valid) + len(test)]
    real, points = space(test), space(judged)
    return Realism(
        two_sample_test(valid, learnt, test, judged, seed),
        neighbours(real, points),
        frechet_distance(real, points),
        agreement(judged),
        fragmentation(judged),
    )
