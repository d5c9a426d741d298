from course_lib.music.datasets import celtic_tunes
from course_lib.music.measures.copies import CopyDetector
from course_lib.music.measures.tunes import (
    complete_bars,
    ends_on_tonic,
    is_aabb,
    longest_shared_runs,
    melody,
    parses,
    sections,
)

EIGHT = "c 2 c 2 c 2 c 2 | " * 7 + "c 4 c 4"


def tokens(body: str, metre: str = "4/4") -> list[str]:
    return [f"M:{metre}", "K:Cmaj", *body.split()]


def test_bars_are_complete_with_what_their_pickup_took() -> None:
    assert complete_bars(tokens("c 8 | c 4 c 4 |]")) == (2, 2)
    assert complete_bars(tokens("c 2 | c 8 | c 6 :|")) == (3, 3)
    assert complete_bars(tokens("c 2 | c 8 | c 6 :: c 2 | c 8 | c 6 :|")) == (6, 6)
    assert complete_bars(tokens("c 2 | c 8 | c 6 || c 8 | c 6 |]")) == (5, 5)
    assert complete_bars(tokens("c 8 | c 6 | c 8 |]")) == (2, 3)
    assert complete_bars(tokens("c 3 | c 8 | c 6 :|")) == (1, 3)
    assert complete_bars(tokens("c 8 | c 6 z 2 c | c 8 |]")) == (2, 3)


def test_form() -> None:
    assert sections(tokens(f"{EIGHT} :: {EIGHT} :|")) == [(8, True), (8, True)]
    assert is_aabb(tokens(f"{EIGHT} :: {EIGHT} :|"))
    assert not is_aabb(tokens(f"{EIGHT} || {EIGHT} :|")) and not is_aabb(tokens(f"{EIGHT} :|"))
    assert sections(tokens("c 8 | c 8 |1 c 8 :|2 c 8 || c 8 |]")) == [(3, True), (1, False), (1, False)]


def test_the_last_note_is_the_tonic_in_any_octave() -> None:
    assert ends_on_tonic(tokens("d 8 | c' 4 z 4 |]")) and ends_on_tonic(tokens("C, 8 |]"))
    assert not ends_on_tonic(tokens("c 8 | ^c 8 |]"))


def test_parsing_asks_grammar_and_reader() -> None:
    assert all(parses(tune.tokens) for tune in celtic_tunes().valid[:20])
    assert not parses(["M:4/4", "K:Cmaj", "c", "|", "|]"]) and not parses([])


def test_real_tunes_have_complete_bars() -> None:
    counts = [complete_bars(tune.tokens) for tune in celtic_tunes().test]
    complete, every = map(sum, zip(*counts, strict=True))
    assert 0.98 < complete / every < 1


def test_shared_runs_are_those_of_the_copy_detector() -> None:
    training, asked = celtic_tunes().train[:60], [*celtic_tunes().test[:12], celtic_tunes().train[7]]
    detector = CopyDetector([tune.piece for tune in training], rhythm=False)
    assert longest_shared_runs([], [melody(tune.tokens) for tune in training]) == []
    found = longest_shared_runs([melody(tune.tokens) for tune in asked], [melody(tune.tokens) for tune in training])
    assert found == [detector.longest(tune.piece.transpose(3)).length for tune in asked]
    assert found[-1] == len(training[7].piece.notes())
