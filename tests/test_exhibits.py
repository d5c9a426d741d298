"""Every shipped system makes music of a chorale, the same for the same seed; and what it should keep, it keeps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from course_lib.exhibits import EXHIBITS, exhibit, four_bars
from course_lib.music import MusicError, Piece, chorales
from course_lib.music.measures.structure import same_structure, template
from course_lib.training import PRETRAINED


@cache
def chorale() -> Piece:
    return next(piece for piece in chorales().test if piece.title.startswith("BWV 9.7"))


@cache
def made(name: str) -> Piece:
    return exhibit(name, chorale(), seed=3)


def test_every_shipped_model_is_exhibited() -> None:
    assert set(EXHIBITS) == {path.stem for path in PRETRAINED.glob("*.npz")}


@pytest.mark.parametrize("name", EXHIBITS)
def test_it_makes_the_same_music_of_a_chorale_for_the_same_seed(name: str) -> None:
    piece = made(name)
    assert len(piece.notes()) > 4 and piece.title.endswith(chorale().title)
    if name != "13_crbm":  # it takes ten seconds
        again = exhibit(name, chorale(), seed=3)
        assert np.array_equal(piece.pitch, again.pitch) and np.array_equal(piece.onset, again.onset)


@pytest.mark.parametrize("name", ["02_sliding", "02_harmoniser", "09_bidirectional", "09_voices", "10_attention"])
def test_the_melody_stays(name: str) -> None:
    piece = made(name)
    whole = {1: chorale(), 2: four_bars(chorale())}[1 if len(piece) == len(chorale()) else 2]
    melody = whole.regrid(piece.steps_per_quarter).pitch[:, 0]
    if name == "10_attention":
        melody = chorale().regrid(2).pitch[: len(piece), 0]
    assert np.array_equal(piece.pitch[:, 0], melody[: len(piece)])


@pytest.mark.parametrize("name", ["03_autoencoder", "03_stack", "04_linear", "04_vae"])
def test_a_reconstruction_is_near_the_original(name: str) -> None:
    own, *others = [(made(name).pitch == four_bars(p).pitch).mean() for p in (chorale(), *chorales().test[:2])]
    assert own > max(others) + 0.1


@pytest.mark.parametrize("name", ["12_rnn_rbm", "12_notes"])
def test_it_carries_on_from_the_beginning(name: str) -> None:
    beats = chorale().pitch[chorale().pickup % 4 :: 4][:16]
    begun = [set(frame[frame >= 0].tolist()) for frame in made(name).pitch[:16]]
    assert begun == [set(frame.tolist()) for frame in beats]
    assert len({frame.tobytes() for frame in made(name).pitch[16:]}) > 4


def test_structure_is_imposed() -> None:
    goal = template(chorale())
    assert same_structure(made("13_crbm"), goal.structure) > 0.6


def test_what_does_not_fit_is_named() -> None:
    waltz = next(piece for piece in chorales().test if piece.time_signature == (3, 4))
    with pytest.raises(MusicError, match="no four full bars of 4/4"):
        exhibit("04_vae", waltz)
