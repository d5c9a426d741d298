"""Widgets: they take plain callables, such as z → Piece, and know no network."""

from course_lib.show.widgets.chord_strip import ChordStrip
from course_lib.show.widgets.chords import ChordBoard
from course_lib.show.widgets.explorer import Explorer
from course_lib.show.widgets.plane import PlaneBoard
from course_lib.show.widgets.templates import TemplateBoard
from course_lib.show.widgets.turing import TuringGame
