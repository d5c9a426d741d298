"""What a person sees, listens to and touches: plots, notation, sound, panels, widgets."""

from course_lib.show.audio import mp3, save, synthesize
from course_lib.show.panel import Player, listen
from course_lib.show.plots import figure, plot_network, plot_piano_roll
from course_lib.show.roll import VOICE_COLOURS
from course_lib.show.slideshow import Slideshow
from course_lib.show.tables import scoreboard, table
from course_lib.show.training_plot import TrainingPlot
