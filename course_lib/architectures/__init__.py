"""Networks in plain Keras: tensors in, tensors out. Imports no music."""

from course_lib.architectures.adversarial import GAN, OBJECTIVES, R1, Choice, GradientPenalty
from course_lib.architectures.attention import POSITIONS
from course_lib.architectures.autoencoder import Autoencoder
from course_lib.architectures.batches import NO_FRAME, Examples, FrameBatches, TokenBatches, padded, padded_frames
from course_lib.architectures.boltzmann import RBM, Dice
from course_lib.architectures.crbm_constraints import Places, Sums, cooling
from course_lib.architectures.decoding import AutoregressiveSampler, Writer, Written
from course_lib.architectures.feedforward import harmoniser, minibach
from course_lib.architectures.losses import SequenceCrossEntropy, TokenCrossEntropy, VoiceCrossEntropy, token_nats
from course_lib.architectures.nade import Independent
from course_lib.architectures.over_time import Completion, Ear, Estimated, frame_nats, known_before
from course_lib.architectures.partition import (
    EXACT,
    annealed_importance,
    every_frame,
    importance_weights,
    log_partition,
    log_probabilities,
)
from course_lib.architectures.recurrent import FeedbackCell, OneHotEmbedding, Silence, rnn_decoder
from course_lib.architectures.variational import ELBO, VAE, autoregressive_decoder
