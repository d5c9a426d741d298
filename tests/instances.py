"""One small instance of every class that is registered as serialisable, and inputs for it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.adversarial import GAN, R1, Choice, GradientPenalty
from course_lib.architectures.attention import Attention, AttentiveDecoder
from course_lib.architectures.autoencoder import Autoencoder, KLSparsity, L1Sparsity, Stack, TiedDense
from course_lib.architectures.boltzmann import RBM, ConvolutionalRBM, ExactRBM
from course_lib.architectures.losses import GroupedCrossEntropy, TokenCrossEntropy
from course_lib.architectures.nade import NADE, Independent, UnitByUnit
from course_lib.architectures.over_time import OverTime
from course_lib.architectures.recurrent import (
    FeedbackCell,
    FreeRunningDecoder,
    OneHotEmbedding,
    RecurrentDecoder,
    RecurrentModel,
    WordDropout,
)
from course_lib.architectures.variational import VAE, Sampling

RNG = np.random.default_rng(0)
NUMBERS = np.array([[1, 3, 5, 4], [1, 6, 2, 0]])  # of 7 symbols
FRAMES = RNG.random((2, 3, 6)) < 0.4
X, CODE = (RNG.normal(size=shape).astype(np.float32) for shape in ((2, 6), (2, 3)))


def sequential(*parts: layers.Layer, inputs: int) -> keras.Model:
    return keras.Sequential([keras.Input((inputs,)), *parts])


def tied() -> Autoencoder:
    encoder = sequential(layers.Dense(3), inputs=6)
    return Autoencoder(encoder, sequential(TiedDense(encoder.layers[0], "tanh"), inputs=3))


def autoencoder(inputs: int = 6, code: int = 3) -> Autoencoder:
    parts = sequential(layers.Dense(code), inputs=inputs), sequential(layers.Dense(inputs), inputs=code)
    return Autoencoder(*parts, penalty=L1Sparsity(0.1))


def gan() -> GAN:
    parts = sequential(layers.Dense(6), Choice((2, 4)), inputs=3), sequential(layers.Dense(1), inputs=6)
    return GAN(*parts, penalty=R1(0.2), average=0.9)


PENALISED = (lambda x: ops.sum(x**3, axis=-1), ops.convert_to_tensor(X), ops.zeros((2, 6)), 0)

INSTANCES: dict[str, tuple[Callable[[], object], tuple]] = {
    "Attention": (lambda: Attention(4), (RNG.random((2, 3, 5)), RNG.random((2, 4, 6)), np.ones((2, 4)))),
    "AttentiveDecoder": (
        lambda: AttentiveDecoder(4, 5, 7, units=6, compared=3),
        ([RNG.random((2, 4, 5)), np.ones((2, 4)), NUMBERS],),
    ),
    "Autoencoder": (autoencoder, (X,)),
    "Choice": (lambda: Choice((2, 4), temperature=0.5), (X,)),
    "ConvolutionalRBM": (lambda: ConvolutionalRBM(6, 5, 3, (2, 3), k=2, persistent=2), (FRAMES,)),
    "ExactRBM": (lambda: ExactRBM(6, 5), (FRAMES[0],)),
    "FeedbackCell": (lambda: FeedbackCell(layers.GRUCell(4), 7), (X, [np.zeros((2, 7)), np.zeros((2, 4))])),
    "FreeRunningDecoder": (lambda: FreeRunningDecoder(3, 4, 7, layers.GRUCell(5)), (CODE,)),
    "GAN": (gan, (CODE,)),
    "GradientPenalty": (lambda: GradientPenalty(2.0), PENALISED),
    "GroupedCrossEntropy": (lambda: GroupedCrossEntropy((2, 4)), (NUMBERS[:, :2] % 2, X)),
    "Independent": (lambda: Independent(6), (FRAMES[0],)),
    "KLSparsity": (lambda: KLSparsity(0.2, 0.5), (np.abs(X) / 9,)),
    "L1Sparsity": (lambda: L1Sparsity(0.5), (X,)),
    "NADE": (lambda: NADE(6, 5, "relu"), (FRAMES[0],)),
    "OneHotEmbedding": (lambda: OneHotEmbedding(7, masked=True), (NUMBERS,)),
    "OverTime": (lambda: OverTime(layers.LSTM(4, return_sequences=True), RBM(6, 5, k=2), dropout=0.1), (FRAMES,)),
    "R1": (lambda: R1(0.3), PENALISED),
    "RBM": (lambda: RBM(6, 5, k=2, persistent=3), (FRAMES[0],)),
    "RecurrentDecoder": (
        lambda: RecurrentDecoder(3, 7, layers.LSTMCell(5), positions=4, word_dropout=0.2),
        ([CODE, NUMBERS],),
    ),
    "RecurrentModel": (lambda: RecurrentModel(7, [layers.LSTMCell(5), layers.GRUCell(4)], dropout=0.1), (NUMBERS,)),
    "Sampling": (lambda: Sampling(seed=3), (CODE, CODE)),
    "Stack": (lambda: Stack([autoencoder(), autoencoder(3, 2)]), (X,)),
    "TiedDense": (tied, (X,)),
    "TokenCrossEntropy": (lambda: TokenCrossEntropy("sequence"), (NUMBERS, RNG.random((2, 4, 7)).astype("float32"))),
    "UnitByUnit": (lambda: UnitByUnit(6, 5, "relu"), (FRAMES[0],)),
    "VAE": (
        lambda: VAE(sequential(layers.Dense(6), inputs=6), sequential(layers.Dense(6), inputs=3), 0.5, anneal=9),
        (X,),
    ),
    "WordDropout": (lambda: WordDropout(0.5, seed=2), (NUMBERS,)),
}
"""Name of the class → how an instance is made, and what it is called with. ``TiedDense`` lives in an autoencoder."""
