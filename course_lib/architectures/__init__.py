"""Networks in plain Keras: tensors in, tensors out. Imports no music."""

from course_lib.architectures.autoencoder import Autoencoder
from course_lib.architectures.batches import (
    NO_FRAME,
    AutoencoderBatches,
    FrameBatches,
    TokenBatches,
    padded,
    padded_frames,
    shifted_right,
)
from course_lib.architectures.boltzmann import RBM, Dice
from course_lib.architectures.crbm_constraints import Places, Sums, cooling
from course_lib.architectures.decoding import AutoregressiveSampler, Gibbs, Sampler, Written, beam_search
from course_lib.architectures.feedforward import harmoniser, minibach
from course_lib.architectures.losses import GroupedCrossEntropy, TokenCrossEntropy, token_nats
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
from course_lib.architectures.recurrent import (
    POSITIONS,
    FeedbackCell,
    FreeRunningDecoder,
    OneHotEmbedding,
    Reader,
    RecurrentDecoder,
    RecurrentModel,
    StepByStep,
    WordDropout,
    bidirectional,
    first_states,
    labeller,
    positional_encoding,
    rnn_encoder,
    step_numbers,
)
from course_lib.architectures.tensors import Tensor, arguments, rebuilt
from course_lib.architectures.variational import ELBO, VAE, autoregressive_decoder
