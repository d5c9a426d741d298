import numpy as np
import pytest

from course_lib.music import Piece, chorales, windows
from course_lib.music.measures import (
    FeatureSpace,
    agreement,
    binomial_interval,
    fragmentation,
    frechet_distance,
    neighbours,
    realism_row,
    two_sample_test,
    window_features,
)
from course_lib.music.piece import REST, MusicError, WrongVoices


def piece(*voices: list[int], onset: np.ndarray | None = None, title: str = "") -> Piece:
    """Voices of MIDI pitches a sixteenth each; a pitch goes on where it is the same, unless onset is given."""
    pitch = np.array(voices).T
    begins = (pitch != REST) & np.vstack([np.ones_like(pitch[:1]), pitch[1:] != pitch[:-1]]).astype(bool)
    return Piece(pitch, begins if onset is None else onset, title=title)


# ---------------------------------------------------------------- features


def test_features_of_a_window_made_by_hand() -> None:
    # C major: soprano c'' d'' (two sixteenths each), bass c' throughout: eight features are not zero, and known.
    row = window_features([piece([72, 72, 74, 74], [60, 60, 60, 60])])[0]
    chroma, interval, soprano, bass, place, together, octave, rest = np.split(row, np.cumsum([12, 12, 13, 13, 8, 3, 2]))
    assert {i: round(float(v), 6) for i, v in enumerate(chroma) if v} == {0: 0.75, 2: 0.25}
    np.testing.assert_allclose([interval[0], interval[2]], [0.5, 0.5])
    assert soprano[6 + 2] == 1 and soprano.sum() == 1  # the only new note comes from two semitones below
    assert not bass.any()
    np.testing.assert_allclose(place.reshape(4, 2), [[1, 1], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(together, [0.5, 0.25, 0.25])
    np.testing.assert_allclose(octave, [13 / 12, 0])
    np.testing.assert_allclose(rest, 0)


def test_features_see_crossings_and_parallels() -> None:
    row = window_features([piece([60, 62], [67, 69])])[0]
    assert row[-3:].tolist() == [1.0, 0.0, 0.0]  # crossed at both steps; a fourth, not a fifth, between them
    fifths, octaves = window_features([piece([67, 69], [60, 62])])[0], window_features([piece([72, 74], [60, 62])])[0]
    assert fifths[-3:].tolist() == [0.0, 1.0, 0.0]
    assert octaves[-3:].tolist() == [0.0, 0.0, 1.0]


def test_features_do_not_depend_on_the_key_of_the_whole_but_for_its_register() -> None:
    window = windows(chorales().test, bars=1)[7]
    low, high = window_features([window, window.transpose(3)])
    register = np.flatnonzero(~np.isclose(low, high))
    np.testing.assert_allclose(high[register] - low[register], [3 / 12] * 4)


def test_features_do_not_see_whether_a_window_was_cut_through_held_notes() -> None:
    cut = (w for w in windows(chorales().test, bars=1) if not w.onset[0].all() and (w.pitch != REST).all())
    window = next(cut)
    begun = Piece(window.pitch, np.vstack([np.ones((1, 4), bool), window.onset[1:]]))
    np.testing.assert_array_equal(*window_features([window, begun]))


def test_a_rest_takes_part_in_nothing_and_lengths_may_differ() -> None:
    whole = piece([72, 72, 74, 74], [60, 60, 60, 60])
    silent = piece([72, 72, 74, 74, REST, REST], [60, 60, 60, 60, REST, REST])
    a, b = window_features([whole, silent])
    np.testing.assert_allclose(a[:50], b[:50])  # pitch classes, intervals, steps
    assert window_features(windows(chorales().test, bars=1)[:3]).shape == (3, 164)
    with pytest.raises(WrongVoices, match=r"\[1, 2\] voices"):
        window_features([whole, whole.select(0)])


# ---------------------------------------------------------------- points


def test_neighbours_of_points_on_a_line() -> None:
    # k = 1: each real ball reaches to the next real point, radius 1; those of the made points have 0.5.
    real, made = np.array([[0.0], [1], [2], [3]]), np.array([[0.0], [0.5], [10], [10.5]])
    found = neighbours(real, made, k=1)
    assert found.precision == 2 / 4  # 10 and 10.5 lie in no real ball
    assert found.recall == 1 / 4  # 0 alone; 1 is 0.5 away from the nearest made point, just outside
    assert found.density == (1 + 2 + 0 + 0) / 4  # 0 lies in the ball of 0, 0.5 in those of 0 and 1
    assert found.coverage == 2 / 4  # the balls of 0 and 1 hold a made point


def test_neighbours_of_one_distribution_of_another_and_of_copies() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(400, 3))
    same, far = neighbours(real, rng.normal(size=(400, 3))), neighbours(real, rng.normal(size=(400, 3)) + 50)
    assert min(same.precision, same.recall, same.coverage) > 0.85 and 0.85 < same.density < 1.15
    assert far == (0, 0, 0, 0)
    one = neighbours(real, np.tile(real[:1], (400, 1)) + 1e-9)
    assert one.precision == 1 and one.recall < 0.01 and one.coverage < 0.05
    copied = neighbours(np.repeat(real[:60], 6, axis=0), rng.normal(size=(360, 3)))
    assert copied == (0, copied.recall, 0, 0)  # why windows must not overlap, nor come in all keys
    with pytest.raises(MusicError, match="k=5 neighbours need more"):
        neighbours(real[:5], real)


def test_frechet_distance_of_gaussians() -> None:
    a = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + [3, 4]) == pytest.approx(25)
    # variances 2/3 and 4 · 2/3 in both directions: 2 · (2 − 1)² · 2/3
    assert frechet_distance(a, 2 * a) == pytest.approx(2 * 2 / 3)
    assert frechet_distance(a, 2 * a) == pytest.approx(frechet_distance(2 * a, a))


# ---------------------------------------------------------------- collapse, fragments


def test_agreement_is_the_mean_over_pairs() -> None:
    a, b, c = piece([60, 60, 62, 62]), piece([60, 60, 64, 64]), piece([65, 65, 62, 67])
    assert agreement([a, a, a]) == 1
    assert agreement([a, b]) == 0.5
    assert agreement([a, b, c]) == pytest.approx((0.5 + 0.25 + 0) / 3)
    with pytest.raises(MusicError, match="at least two"):
        agreement([a])


def test_fragmentation_counts_notes_of_one_step() -> None:
    assert fragmentation([piece([60, 60, 62, 62])]) == 0
    assert fragmentation([piece([60, 62, 64, 64])]) == pytest.approx(2 / 3)
    assert fragmentation([piece([60, REST, 64, 64])]) == pytest.approx(1 / 2)
    again = piece([60, 60, 60, 60], onset=np.array([[False], [True], [True], [False]]))
    assert fragmentation([again]) == pytest.approx(2 / 3)  # the first was held from before
    assert fragmentation([piece([60, 60]), piece([60, 62])]) == pytest.approx(2 / 3)
    assert np.isnan(fragmentation([piece([REST, REST])]))


# ---------------------------------------------------------------- two-sample test


def random_windows(n: int, seed: int, low: int = 60, high: int = 72) -> list[Piece]:
    rng = np.random.default_rng(seed)
    return [piece(*rng.integers(low, high, (2, 16)).tolist(), title=f"{seed} {i}") for i in range(n)]


def test_what_is_alike_cannot_be_distinguished_and_what_differs_can() -> None:
    same = two_sample_test(*(random_windows(200, seed) for seed in range(4)))
    assert abs(same.accuracy - 0.5) < 2 * 0.5 / np.sqrt(400)
    assert same.low < 0.5 < same.high and same.count == 400
    other = two_sample_test(
        *(random_windows(100, seed, 60 + 12 * (seed % 2), 72 + 12 * (seed % 2)) for seed in range(4))
    )
    assert other.accuracy == 1 and str(other) == "1.00 (0.98–1.00)"


def test_the_network_wins_where_no_straight_line_can() -> None:
    # In a real window both voices are high or both low, in a made one one of them: "exclusive or".
    def mixed(n: int, seed: int, alike: bool) -> list[Piece]:
        high = np.random.default_rng(seed).integers(0, 2, n)
        return [
            piece([72 + 12 * up] * 4, [48 + 12 * (up if alike else 1 - up)] * 4, title=f"{seed} {i}")
            for i, up in enumerate(high.tolist())
        ]

    found = two_sample_test(*(mixed(200, seed, alike=seed % 2 == 0) for seed in range(4)))
    assert (found.judge, found.accuracy) == ("network", 1)


def test_a_window_on_both_sides_is_refused() -> None:
    a, b, c, d = (random_windows(20, seed) for seed in range(4))
    with pytest.raises(MusicError, match="1 windows are among those that the judge learns from"):
        two_sample_test(a, b, [*c, a[7]], d)
    with pytest.raises(MusicError, match="20 windows"):
        two_sample_test(a, b, c, b)
    with pytest.raises(MusicError, match="at least 5 of each"):
        two_sample_test(a, b, c, [])
    collapsed = [random_windows(1, 9)[0] for _ in range(20)]  # a generator may make the same window again
    assert two_sample_test(a, collapsed, c, [random_windows(1, 9)[0] for _ in range(20)]).accuracy > 0.9


def test_the_binomial_interval() -> None:
    low, high = binomial_interval(50, 100)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    low, high = binomial_interval(20, 20)
    assert (round(low, 4), high) == (0.8389, pytest.approx(1))
    assert binomial_interval(0, 20)[0] == pytest.approx(0)


def test_a_row_has_every_measure_and_training_bach_is_hardly_distinguished() -> None:
    train, valid, test = (windows(side, bars=1, stride=3) for side in chorales())
    four = [[w for w in side if (w.pitch != REST).all()] for side in (train, valid, test)]
    train, valid, test = four
    made = [train[i] for i in np.random.default_rng(0).permutation(len(train))]
    space = FeatureSpace(train, components=12)
    assert space(test).shape == (len(test), 12)
    row = realism_row(space, valid, test, made)
    assert row.two_sample.low < 0.55
    assert min(row.neighbours) > 0.6
    assert row.frechet_distance < 6
    assert 0.03 < row.agreement < 0.12 and row.fragmentation < 0.05
    with pytest.raises(MusicError, match="are needed, as many as real ones"):
        realism_row(space, valid, test, made[:5])
