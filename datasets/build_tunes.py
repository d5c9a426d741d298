"""The folk tunes of the course, read from the ABC files inside the music21 wheel; ``build.py`` calls it."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.abc_tokens import (
    STEPS_PER_QUARTER,
    NotATune,
    abc_to_tokens,
    check_tokens,
    is_bar_line,
    is_note,
    metre_in,
    tokens_to_abc,
    tokens_to_piece,
)
from course_lib.music.errors import MusicWarning
from course_lib.music.formats.abc import abc_tunes
from course_lib.music.piece import REST, Piece

COLLECTIONS = ("airdsAirs", "oneills1850", "ryansMammoth")
RAREST = 5
"""A token in fewer tunes than this is nothing that can be learnt: its tunes are left out."""
SAME_RUN = 18
"""Two tunes are one when they share this many consecutive intervals, repeated notes counted or not, …"""
SAME_BEATS = 18
"""… or when this many more beats agree than differ after the best alignment, …"""
SAME_TITLE_BEATS = 10
"""… or, under one title, this many. Where these lie between chance and kinship, README.md says."""
SEED_RUN = 6  # equal intervals from beat to beat that make an alignment worth trying
SHARES = {"test": 0.10, "valid": 0.08}
LARGEST = 0.02  # a family with more than this share of the tunes stays in training
SPLIT_SEED = 1850
BATCH = 20_000  # alignments at a time
KINDS = {"the", "a", "reel", "jig", "hornpipe", "strathspey", "clog", "fling", "march", "quick", "step", "quickstep"}


class Source(NamedTuple):
    """A tune as it stands in its file."""

    collection: str
    file: str
    abc: str

    def field(self, letter: str) -> str:
        """The first field with this letter, "" where there is none."""
        found = re.search(rf"^{letter}:([^\n]*)", self.abc, re.MULTILINE)
        return " ".join(found[1].split("%")[0].split()) if found else ""


def sources() -> Iterator[Source]:
    """Every tune of the three collections, in the order of their files."""
    from music21 import corpus

    root = Path(corpus.getCorePaths()[0])
    root = next(p for p in [root, *root.parents] if (p / COLLECTIONS[0]).is_dir())
    for collection in COLLECTIONS:
        for path in sorted((root / collection).glob("*.abc")):
            data = path.read_bytes()
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = data.decode("latin-1")
            for tune in abc_tunes(text):
                yield Source(collection, path.name, tune)


def read_tunes() -> tuple[list[tuple[Source, list[str]]], Counter[str]]:
    """The tunes that have tokens, exact copies left out, and why the others have none."""
    found: dict[tuple[str, ...], Source] = {}
    left_out: Counter[str] = Counter()
    for source in sources():
        try:
            tokens = abc_to_tokens(source.abc)
            check_tokens(tokens)
            if abc_to_tokens(tokens_to_abc(tokens)) != tokens:
                raise NotATune("its tokens do not come back.")
        except NotATune as error:
            left_out[re.sub(r"[\d:/]+|'[^']*'", "…", str(error))] += 1
            continue
        if tuple(tokens) in found:
            left_out["an exact copy of another"] += 1
        found.setdefault(tuple(tokens), source)
    tunes = [(source, list(tokens)) for tokens, source in found.items()]
    while True:
        spread = Counter(token for _, tokens in tunes for token in set(tokens))
        rare = {token for token, count in spread.items() if count < RAREST}
        kept = [tune for tune in tunes if not rare & set(tune[1])]
        left_out["a rare token"] += len(tunes) - len(kept)
        if len(kept) == len(tunes):
            return tunes, left_out
        tunes = kept


def vocabulary(tunes: Sequence[Sequence[str]]) -> list[str]:
    """All tokens in a readable order: metres, modes, bar lines, pitches from low to high, lengths, signs."""

    def order(token: str) -> tuple:
        if token[:2] in ("M:", "K:"):
            return ("MK".index(token[0]), token)
        if is_bar_line(token):
            return (2, token)
        if is_note(token):
            letter = next((c for c in token if c.isalpha()), "z")
            octave = letter.islower() + token.count("'") - token.count(",")
            return (3, 99 if token == "z" else 7 * octave + "CDEFGAB".index(letter.upper()), token)
        return (4 if token[0].isdigit() or token[0] == "/" else 5, len(token), token)

    return sorted({token for tokens in tunes for token in tokens}, key=order)


def beats(piece: Piece) -> np.ndarray:
    """int (beats,): the pitch on each beat, or the last before it.

    A beat is a dotted quarter in 6/8 and its like, an eighth in 2/4 (where sixteenths stand for other metres' eighths),
    and a quarter elsewhere.
    """
    over, under = piece.time_signature
    quarters = 1.5 if under == 8 and over % 3 == 0 else 0.5 if (over, under) == (2, 4) else 1
    beat = int(quarters * STEPS_PER_QUARTER)
    pitch = piece.pitch[:, 0]
    sounding = np.maximum.accumulate(np.where(pitch != REST, np.arange(len(pitch)), 0))
    heard = pitch[sounding][piece.pickup % beat :: beat]
    return heard[heard != REST].astype(int)


def runs(melodies: Sequence[np.ndarray], length: int) -> set[tuple[int, int]]:
    """Pairs of melodies (later, earlier) that share ``length`` consecutive numbers, at least half of them not zero."""
    places: dict[bytes, list[int]] = defaultdict(list)
    pairs = set()
    for i, melody in enumerate(melodies):
        own = set()
        for a in range(len(melody) - length + 1):
            part = melody[a : a + length]
            if np.count_nonzero(part) >= length // 2:
                own.add(part.astype(np.int8).tobytes())
        for part in own:
            pairs |= {(i, j) for j in places[part]}
            places[part].append(i)
    return pairs


def seeds(skeletons: Sequence[np.ndarray]) -> np.ndarray:
    """int (candidates, 3): tunes i, j < i and the transposition from j to i, mod 12, in which a few beats agree."""
    places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    found = set()
    for i, pitches in enumerate(skeletons):
        moves = np.diff(pitches) % 12
        own = []
        for a in range(len(moves) - SEED_RUN + 1):
            part = moves[a : a + SEED_RUN]
            if np.count_nonzero(part) >= SEED_RUN // 2:
                own.append((part.astype(np.int8).tobytes(), int(pitches[a])))
        for part, pitch in own:
            found |= {(i, j, (pitch - other) % 12) for j, other in places[part]}
        for part, pitch in own:
            places[part].append((i, pitch))
    return np.array(sorted(found))


def alignment(skeletons: Sequence[np.ndarray], candidates: np.ndarray) -> np.ndarray:
    """int (candidates,): beats that agree minus beats that differ or are left over, in the best stretch of the two.

    Local alignment with match 1, mismatch −1, gap −1 (Smith & Waterman, J. Mol. Biol. 147, 1981), for many at once.
    """
    scores = np.zeros(len(candidates), int)
    lengths = np.array([len(s) for s in skeletons])
    order = np.lexsort((lengths[candidates[:, 1]], lengths[candidates[:, 0]]))
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        i, j, shift = candidates[some].T
        a = np.full((len(some), lengths[i].max()), -1, np.int8)
        b = np.full((len(some), lengths[j].max()), -2, np.int8)
        for row in range(len(some)):
            a[row, : lengths[i[row]]] = skeletons[i[row]] % 12
            b[row, : lengths[j[row]]] = (skeletons[j[row]] + shift[row]) % 12
        column = np.arange(b.shape[1] + 1, dtype=np.int16)
        score = np.zeros((len(some), len(column)), np.int16)
        best = np.zeros(len(some), np.int16)
        for step in range(a.shape[1]):
            new = np.zeros_like(score)
            new[:, 1:] = np.maximum(score[:, :-1] + np.where(a[:, step, None] == b, 1, -1), score[:, 1:] - 1)
            # A gap takes one from its left neighbour: a running maximum once the slope is taken off.
            score = np.maximum.accumulate(np.maximum(new, 0) + column, axis=1) - column
            best = np.maximum(best, score.max(1))
        scores[some] = best
    return scores


def plain_title(source: Source) -> str:
    """The first title without the words that only say what kind of tune it is."""
    words = re.sub(r"[^a-z ]", "", source.field("T").lower().split(" -- ")[0]).split()
    return " ".join(word for word in words if word not in KINDS)


def transcriber(source: Source) -> str:
    """Who typed the tune, as far as the file says; without addresses, dates and comments."""
    words = []
    for word in source.field("Z").replace('"', "").replace("<", " ").replace(">", " ").replace("*", " , ").split():
        if "@" in word and not words:
            return word.partition("@")[0]  # no name but this
        if re.search(r"[@:/]|\d", word) or word.startswith(("www.", ",", "(")):
            if words:
                break
            continue
        if word.lower() not in ("transcribed", "contributed", "by", "abc"):
            words.append(word.rstrip(","))
        if word.endswith(",") and words:
            break
    return " ".join(words)


def families(tunes: Sequence[tuple[Source, list[str]]]) -> np.ndarray:
    """int (tunes,): a number for each family of tunes that are one tune, directly or through others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MusicWarning)
        pieces = [tokens_to_piece(tokens) for _, tokens in tunes]
    moves = [np.diff([note.pitch for note in piece.notes()]) for piece in pieces]
    skeletons = [beats(piece) for piece in pieces]
    candidates = seeds(skeletons)
    scores = alignment(skeletons, candidates)
    titles = np.array([plain_title(source) for source, _ in tunes])
    i, j = candidates[:, 0], candidates[:, 1]
    same_title = (titles[i] == titles[j]) & (titles[i] != "")
    akin = candidates[(scores >= SAME_BEATS) | (same_title & (scores >= SAME_TITLE_BEATS)), :2]
    pairs = {(int(a), int(b)) for a, b in akin} | runs(moves, SAME_RUN) | runs([m[m != 0] for m in moves], SAME_RUN)
    parent = list(range(len(tunes)))

    def root(tune: int) -> int:
        while parent[tune] != tune:
            parent[tune] = tune = parent[parent[tune]]
        return tune

    for a, b in sorted(pairs):
        parent[root(a)] = root(b)
    return np.unique([root(tune) for tune in range(len(tunes))], return_inverse=True)[1]


def split_by_family(family: np.ndarray) -> np.ndarray:
    """str (tunes,): ``train``, ``valid`` or ``test``; a family is never divided, and a large one is in training."""
    split = np.full(len(family), "train", dtype="U5")
    sizes = np.bincount(family)
    drawn = np.random.default_rng(SPLIT_SEED).permutation(len(sizes))
    order = iter(drawn[sizes[drawn] <= LARGEST * len(family)])
    for name, share in SHARES.items():
        while (split == name).sum() < round(share * len(family)):
            split[family == next(order)] = name
    return split


def tunes(say: Callable[[str], None] = print) -> tuple[dict[str, np.ndarray], list[dict[str, object]]]:
    """The arrays of ``celtic.npz`` and the rows of ``celtic.csv``."""
    read, left_out = read_tunes()
    say(f"{len(read)} tunes; left out: " + ", ".join(f"{why} {n}" for why, n in left_out.most_common() if n))
    words = vocabulary([tokens for _, tokens in read])
    number = {word: i for i, word in enumerate(words)}
    family = families(read)
    split = split_by_family(family)
    titles = [source.field("T") for source, _ in read]
    arrays = {
        "tokens": np.array([number[token] for _, tokens in read for token in tokens], np.uint8),
        "length": np.array([len(tokens) for _, tokens in read], np.int16),
        "vocabulary": np.array(words),
        "collection": np.array([COLLECTIONS.index(source.collection) for source, _ in read], np.int8),
        # As bytes: an array of text would give every title the room of the longest.
        "titles": np.frombuffer("\n".join(titles).encode(), np.uint8),
        "family": family.astype(np.int16),
        "split": split,
    }
    rows = [
        {
            "title": title,
            "metre": "{}/{}".format(*metre_in(tokens)),
            "key": source.field("K"),
            "tokens": len(tokens),
            "family": family[i],
            "split": split[i],
            "collection": source.collection,
            "file": source.file,
            "number": source.field("X"),
            "transcriber": transcriber(source),
        }
        for i, ((source, tokens), title) in enumerate(zip(read, titles, strict=True))
    ]
    return arrays, rows
