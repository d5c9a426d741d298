"""What was published for the four public sets: nats a frame of the test part (log-likelihood, so larger is better).

Source, unless said: Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392, table 1. "RNN": their RNN trained by
Hessian-free optimisation, the better of the two they print.
"""

from __future__ import annotations

from course_lib.music.datasets import Split

SETS = {
    (87, 75_911): "Piano-midi.de",
    (694, 176_561): "Nottingham",
    (524, 245_202): "MuseData",
    (229, 13_807): "JSB Chorales",
}
"""Sequences and frames of the training part → name of the set."""

LIKELIHOODS = {
    "random": (-61.00, -61.00, -61.00, -61.00),
    "note 1-gram, one for all": (-12.90, -16.24, -14.06, -15.93),
    "note 1-gram": (-11.05, -10.25, -11.51, -11.06),
    "chord histogram": (-27.64, -5.94, -19.03, -12.22),
    "note N-gram": (-7.50, -4.54, -7.91, -10.26),
    "RBM": (-10.17, -5.25, -9.56, -7.43),
    "NADE": (-10.28, -5.48, -10.06, -7.19),
    "RNN": (-7.66, -3.89, -7.19, -8.58),
    "RNN-RBM": (-7.09, -2.39, -6.01, -6.27),
    "RNN-NADE": (-7.05, -2.31, -5.60, -5.56),
}
"""Row → Piano-midi.de, Nottingham, MuseData, JSB Chorales. RNN-NADE: with Hessian-free optimisation."""


def set_name(data: Split) -> str | None:
    """Which of the four sets this is, known by the size of its training part; None for any other."""
    return SETS.get((len(data.train), sum(map(len, data.train))))


def published(row: str, name: str | None) -> float | None:
    """The published value of a row of the table on a set, or None."""
    if name is None or row not in LIKELIHOODS:
        return None
    return LIKELIHOODS[row][list(SETS.values()).index(name)]
