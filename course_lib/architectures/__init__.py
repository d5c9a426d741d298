"""Networks in plain Keras: tensors in, tensors out. Imports no music."""

from course_lib.architectures.adversarial import GAN, OBJECTIVES, R1, Choice, GradientPenalty
from course_lib.architectures.attention import Attention, AttentiveDecoder, attention_encoder
from course_lib.architectures.autoencoder import Autoencoder, KLSparsity, L1Sparsity, Stack, TiedDense
from course_lib.architectures.batches import (
    NO_FRAME,
    AutoencoderBatches,
    FrameBatches,
    TokenBatches,
    padded,
    padded_frames,
    shifted_right,
)
from course_lib.architectures.boltzmann import RBM, ConvolutionalRBM, ExactRBM, UniformNumbers, clamped_gibbs, cooled
from course_lib.architectures.conditioning import (
    Level,
    conditioned,
    joined,
    light_discriminator,
    light_generator,
    light_history,
    paper_discriminator,
    paper_generator,
    paper_history,
    products,
)
from course_lib.architectures.crbm_constraints import Places, SelfSimilarity, Sums, constrained, cooling
from course_lib.architectures.decoding import AutoregressiveSampler, Gibbs, Sampler, Written, beam_search, compiled_step
from course_lib.architectures.feedforward import harmoniser, minibach
from course_lib.architectures.losses import GroupedCrossEntropy, TokenCrossEntropy, token_nats
from course_lib.architectures.nade import NADE, AutoregressiveFrames, ExactFrames, Independent, UnitByUnit
from course_lib.architectures.over_time import (
    CompletedFrames,
    Estimated,
    OverTime,
    complete_frames,
    estimated_nats,
    frame_nats,
    rnn_outputs,
    sample_frames,
)
from course_lib.architectures.partition import (
    EXACT,
    Estimate,
    ExactNats,
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
