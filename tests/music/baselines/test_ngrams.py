from collections import Counter

import numpy as np
import pytest

from course_lib.music.baselines.ngrams import START, KneserNey, perplexity
from course_lib.music.errors import MusicError

SYMBOLS = 9


def sequences(count: int = 60, seed: int = 0) -> list[np.ndarray]:
    """Random walks with an end."""
    rng = np.random.default_rng(seed)
    return [np.array([1, *(3 + np.cumsum(rng.integers(-1, 3, rng.integers(2, 14))) % 6), 2]) for _ in range(count)]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 12])
def test_probabilities_sum_to_one(order: int) -> None:
    model = KneserNey(sequences(), SYMBOLS, order)
    for context in ([1], [1, 3], [1, 8, 8, 8, 8], [1, 3, 4, 6, 7], *map(list, sequences(5, seed=7))):
        p = model.next(context)
        assert p.sum() == pytest.approx(1) and p[: START + 1].sum() == 0 and (p[2:] > 0).all()


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_two_ways_to_ask_agree(order: int) -> None:
    model = KneserNey(sequences(), SYMBOLS, order)
    for sequence in sequences(5, seed=3):
        one_by_one = [-np.log(model.next(sequence[:k])[sequence[k]]) for k in range(1, len(sequence))]
        assert np.allclose(model.nats(sequence), one_by_one)


def by_the_book(data: list[np.ndarray], order: int, context: tuple, symbol: int) -> float:
    """The recursion of Chen & Goodman with plain dictionaries."""
    raw = [Counter(tuple(s[i : i + k]) for s in data for i in range(len(s) - k + 1)) for k in range(order + 2)]

    def counts(k: int) -> dict:
        before = Counter(longer[1:] for longer in raw[k + 1])  # different symbols that precede
        return {g: c if k == order or g[0] == START else before[g] for g, c in raw[k].items() if g[-1] != START}

    def p(k: int, h: tuple) -> float:
        if k == 0:
            return 1 / (SYMBOLS - 2)
        c = counts(k)
        n = [sum(v == j for v in c.values()) for j in range(5)]
        n = [max(1, x) for x in n]
        y = n[1] / (n[1] + 2 * n[2])
        d = [0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        d = d if all(0 < x < j for j, x in enumerate(d[1:], 1)) else [0, 0.5, 1, 1.5]
        here = {gram[-1]: v for gram, v in c.items() if gram[:-1] == h}
        lower = p(k - 1, h[1:])
        if not here:
            return lower
        total = sum(here.values())
        left = sum(d[min(v, 3)] for v in here.values())
        v = here.get(symbol, 0)
        return (v - d[min(v, 3)]) / total + left / total * lower

    h = tuple(context[-(order - 1) :]) if order > 1 else ()
    return p(len(h) + 1, h)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_is_the_recursion_of_the_paper(order: int) -> None:
    data = sequences(25)
    model = KneserNey(data, SYMBOLS, order)
    for context in ((1,), (1, 3), (1, 4, 5), (1, 8, 8, 8), (1, 3, 5, 6)):
        for symbol in range(2, SYMBOLS):
            wanted = by_the_book([s.tolist() for s in data], order, context, symbol)
            assert model.next(context)[symbol] == pytest.approx(wanted, abs=1e-12)


def test_a_longer_memory_helps_where_there_is_something_to_remember() -> None:
    data = [np.array([1, a, 3, 3, a, 2]) for a in (4, 5, 6) for _ in range(10)]
    short, long = (perplexity([KneserNey(data, SYMBOLS, n).nats(s) for s in data]) for n in (2, 4))
    assert long < 1.5 < short


def test_perplexity_of_a_fair_draw() -> None:
    assert perplexity([np.full(7, np.log(6)), np.full(3, np.log(6))]) == pytest.approx(6)


def test_samples_begin_and_end_and_repeat_by_seed() -> None:
    model = KneserNey(sequences(), SYMBOLS, 3)
    made = model.sample(4)
    assert made[0] == START and made[-1] == 2 and np.array_equal(made, model.sample(4))
    assert len(model.sample(4, longest=3)) <= 3


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(MusicError, match="order is 0"):
        KneserNey(sequences(), SYMBOLS, 0)
    for wrong in ([3, 4], [1, 9], [1, 1], [1]):
        with pytest.raises(MusicError, match="sequence 0"):
            KneserNey([np.array(wrong)], SYMBOLS, 2)
