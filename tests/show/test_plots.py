"""Pictures: what is drawn, and that a figure leaves nothing behind."""

from __future__ import annotations

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from course_lib.music.piece import Note, Piece
from course_lib.show import roll
from course_lib.show.plots import figure, plot_loss, plot_network, plot_piano_roll

matplotlib.use("agg")


@pytest.fixture
def piece() -> Piece:
    notes = [Note(0, 72, 0, 16), Note(1, 67, 0, 8), Note(1, 67, 8, 8), Note(2, 64, 0, 16), Note(3, 48, 16, 16)]
    return Piece.from_notes(notes, 36, 4, title="Four notes", pickup=4)


def test_piano_roll_draws_each_note_in_its_voice_colour(piece: Piece) -> None:
    axes = plot_piano_roll(piece)
    boxes = axes.collections[0]
    assert len(boxes.get_paths()) == len(piece.notes()) == 5
    colours = {tuple(colour[:3]) for colour in boxes.get_facecolors()}
    assert colours == {matplotlib.colors.to_rgb(colour) for colour in roll.VOICE_COLOURS[:4]}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Soprano", "Alto", "Tenor", "Bass"]
    ticks = dict(zip(axes.get_yticks(), (label.get_text() for label in axes.get_yticklabels()), strict=True))
    assert ticks[60] == "C4"
    assert dict(zip(axes.get_xticks(), [t.get_text() for t in axes.get_xticklabels()], strict=True)) == {
        4: "1",
        20: "2",
    }
    plt.close(axes.figure)


def test_plots_draw_where_they_are_asked_to(piece: Piece) -> None:
    canvas, (above, below) = plt.subplots(2)
    assert plot_piano_roll(piece, above, legend=False) is above
    assert plot_loss({"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}, below) is below
    assert plt.get_fignums() == [canvas.number]
    plt.close(canvas)


def test_loss_marks_the_lowest_validation_loss() -> None:
    axes = plot_loss({"loss": [3, 2, 1], "val_loss": [3, 1.5, 2], "accuracy": [0, 0, 1]})
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["training", "validation", "lowest: 1.5, epoch 2"]
    plt.close(axes.figure)
    plt.close(plot_loss({}).figure)


def test_network_has_a_box_a_layer_and_arrows_between() -> None:
    layers = [("soprano", "64 × 21"), ("hidden", "200"), [("alto", "21"), ("tenor", "22"), ("bass", "27")]]
    axes = plot_network(layers)
    texts = {text.get_text() for text in axes.texts} - {""}
    assert {"soprano", "hidden", "alto", "tenor", "bass", "64 × 21"} <= texts
    assert len(axes.patches) == 5
    assert sum(text.get_text() == "" for text in axes.texts) == 1 + 3  # the arrows
    plt.close(axes.figure)
    upwards = plot_network(layers, upwards=True)
    assert upwards.figure.get_figheight() > axes.figure.get_figheight() / 2
    plt.close(upwards.figure)


def test_network_letters_stay_inside_their_boxes() -> None:
    axes = plot_network([("a layer with a long name", "1,344"), ("b", "with a long detail beside it")])
    axes.figure.canvas.draw()
    for box, name, detail in zip(axes.patches, axes.texts[0::2], axes.texts[1::2], strict=False):
        for text in (name, detail):
            assert text.get_window_extent().width < box.get_window_extent().width
    plt.close(axes.figure)


def test_figure_closes_and_has_its_alt_text(piece: Piece) -> None:
    axes = plot_piano_roll(piece)
    picture = figure(axes, 'Two voices, "one" <higher>')
    assert not plt.fignum_exists(axes.figure.number)
    assert repr(picture) == 'Two voices, "one" <higher>'
    html = picture._repr_html_()
    assert 'alt="Two voices, &quot;one&quot; &lt;higher&gt;"' in html and html.count("<img") == 1
    image = Image.open(io.BytesIO(picture.png))
    assert image.width / image.height == pytest.approx(picture.width / picture.height, rel=0.01)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert {matplotlib.colors.to_hex(np.array(rgb) / 255).upper() for _, rgb in image.convert("RGB").getcolors()} >= {
        *roll.VOICE_COLOURS[:4]
    }


def test_figure_asks_for_alt_text(piece: Piece) -> None:
    axes = plot_piano_roll(piece)
    with pytest.raises(ValueError, match="alt text is empty"):
        figure(axes, " ")
    plt.close(axes.figure)
