"""The slideshow: every picture with its words, and the last one without a script."""

from __future__ import annotations

import json
import re

import pytest

from course_lib.show.plots import Picture
from course_lib.show.slideshow import Slideshow


def pictures(count: int) -> list[Picture]:
    return [Picture(bytes([i]) * 3, f"step {i} of </script> & more", 70, 30) for i in range(count)]


def test_the_last_picture_stands_and_all_are_there() -> None:
    html = Slideshow(pictures(3), ["a", "b", "c"], "A search")._repr_html_()
    assert html.count("<img ") == 1 and 'alt="step 2 of &lt;/script&gt; &amp; more"' in html
    data = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1]
    frames = json.loads(data)
    assert [label for label, _, _ in frames] == ["a", "b", "c"]
    assert frames[0][1] == "step 0 of </script> & more"
    assert 'max="2"' in html and "https:" not in html


def test_two_films_of_the_same_pictures_do_not_share_a_name() -> None:
    shown = Slideshow(pictures(1), ["only"], "One")
    names = [re.search(r'id="([^"]+)"', shown._repr_html_())[1] for _ in range(2)]
    assert names[0] != names[1]


def test_its_text_is_what_it_shows() -> None:
    assert repr(Slideshow(pictures(2), ["a", "b"], "A search")).startswith("A search: 2 pictures, the last: step 1")


def test_pictures_without_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 pictures and 1 labels"):
        Slideshow(pictures(2), ["a"], "x")
