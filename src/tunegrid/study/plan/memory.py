"""Peak memory of training and of prediction: what stands in memory at each of the moments that can be the highest."""

from __future__ import annotations

from dataclasses import dataclass

from tunegrid.models import Shape
from tunegrid.study.plan.lengths import SplitSize
from tunegrid.study.plan.tuned import Tuned
from tunegrid.tasks import Task
from tunegrid.training.fast.groups import most_tokens, tokens_per_part
from tunegrid.training.settings import Training

FP32 = 4
MASK = 1  # of a dropout, per number
# What a process holds beside the model: Python and the libraries, resident, some 130 MiB of them for scores, which a
# training does without; or CUDA's context and workspaces.
LIBRARIES = 520 * 2**20
CUDA_WORKSPACE = 600 * 2**20
# What allocators hold and cannot give: torch's own on a GPU, the system's for blocks that come and go on a CPU.
GPU_FRAGMENTATION, CPU_FRAGMENTATION = 1.05, 1.3


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes by what they are for; `peak` is the highest moment of a step.

    Attributes:
        weights: for the whole run, in fp32 unless the method holds them otherwise, those of other models included.
        optimiser: AdamW's two moments.
        gradients: of all trainable parameters, as they are when a step ends.
        activations: kept for the backward pass, of the longest batch.
        logits: of a batch, on a CPU of the part whose loss is computed at once, with their gradient.
        libraries: what the process holds without a model.
        embedding: a gradient of the embedding on its way to the others, where it is trained.
    """

    weights: float
    optimiser: float
    gradients: float
    activations: float
    logits: float
    libraries: float
    embedding: float
    gpu: bool

    @property
    def peak(self) -> float:
        fixed = self.libraries + self.weights + self.optimiser
        kept = self.activations + self.logits
        if not self.gpu:
            # What activations leave is not given back, so gradients come on top; the embedding's is made of several.
            return fixed + self.gradients + self.embedding + CPU_FRAGMENTATION * kept
        # A backward pass starts with all activations and no gradient but the head's, and ends the other way round;
        # then all tensors are updated at once, with one temporary copy.
        start = kept + self.embedding
        middle = self.activations / 2 + self.gradients / 2
        end = 2 * self.gradients
        return fixed + GPU_FRAGMENTATION * max(start, middle, end)


def training_memory(tuned: Tuned, training: Training, train: SplitSize, precision: str, gpu: bool) -> TrainingMemory:
    """Memory of a training at its longest batch."""
    shape, batch = tuned.shape, min(training.batch_size, max(train.entries, 1))
    source, target = train.source.longest, train.target.longest
    accumulated = training.gradient_accumulation_steps > 1
    if not gpu:  # groups of a batch; of the longest rows there may be several
        rows = max(1, int(most_tokens(shape.d_model) // (source + target)))
        accumulated, batch = accumulated or rows < batch, min(batch, rows)
    layers = activation_bytes(tuned, batch, source, target, precision, gpu)
    activations = sum(layers)
    if training.gradient_checkpointing:
        inputs = FP32 * batch * shape.d_model * (shape.encoder_layers * source + shape.decoder_layers * target)
        counts = (shape.encoder_layers, shape.decoder_layers)
        activations = inputs + max(size / max(count, 1) for size, count in zip(layers, counts, strict=True))
    weights = tuned.method.weight_bytes(shape) + FP32 * tuned.method.forward_models * shape.parameters
    if precision == "bf16":  # a copy of each weight that a product takes
        activations += 2 * (tuned.total - shape.embedding_parameters + shape.vocabulary * shape.d_model)
    gradients = FP32 * tuned.trainable
    # The logits, their log-softmax in fp32, its gradient; autocast keeps more than one form.
    logit_bytes = 3 * FP32 + (2 if precision == "bf16" else 0)
    logits = batch * target if gpu else min(batch * target, tokens_per_part(shape.vocabulary))
    return TrainingMemory(
        weights=weights,
        optimiser=2 * gradients,
        gradients=gradients,
        activations=activations + (gradients if accumulated else 0),
        logits=logits * shape.vocabulary * logit_bytes,
        libraries=CUDA_WORKSPACE if gpu else LIBRARIES,
        embedding=FP32 * shape.vocabulary * shape.d_model if tuned.full else 0,
        gpu=gpu,
    )


def activation_bytes(
    tuned: Tuned, batch: float, source: float, target: float, precision: str, gpu: bool
) -> tuple[float, float]:
    """Bytes that the layers of (the encoder, the decoder) keep for the backward pass of a padded batch."""
    shape = tuned.shape
    encoder = shape.encoder_layers * (
        source * (_attention_bytes(tuned, precision) + _feed_forward_bytes(tuned, precision, shape.d_ff))
        + shape.heads * source**2 * _score_bytes(shape, precision, gpu)
    )
    inner, size = shape.heads * shape.d_kv, _size(precision)
    cross = source * 2 * inner * size + target * _attention_bytes(tuned, precision)
    d_ff = shape.decoder_d_ff or shape.d_ff
    decoder = shape.decoder_layers * (
        target * (_attention_bytes(tuned, precision) + _feed_forward_bytes(tuned, precision, d_ff))
        + cross
        + shape.heads * (target**2 + source * target) * _score_bytes(shape, precision, gpu)
    )
    own_encoder, own_decoder = tuned.method.activation_bytes(shape, source, target)
    return batch * (encoder + own_encoder), batch * (decoder + own_decoder)


def _size(precision: str) -> int:
    return 2 if precision == "bf16" else FP32


def _norm_bytes(tuned: Tuned) -> float:
    """Per token: a normalisation keeps its input; T5's, where its weight is trained, also what that scales."""
    kept = 2 if tuned.full and not tuned.shape.family.has_biases else 1
    return kept * FP32 * tuned.shape.d_model


def _attention_bytes(tuned: Tuned, precision: str) -> float:
    """Per token of an attention block: query, key, value, a dropout mask, and where they are trained, the inputs."""
    shape, size = tuned.shape, _size(precision)
    inner = shape.heads * shape.d_kv
    casts = 3 if precision == "bf16" else 1  # autocast casts the input for each projection
    inputs = size * (casts * shape.d_model + inner) if tuned.full else 0
    return _norm_bytes(tuned) + 3 * size * inner + shape.d_model * MASK + inputs


def _feed_forward_bytes(tuned: Tuned, precision: str, d_ff: int) -> float:
    """Per token of a feed-forward block: activation, dropout masks, and the inputs of weights that are trained."""
    shape, size = tuned.shape, _size(precision)
    into = len(shape.family.linear["feed-forward"]) - 1
    inside = (3 if into > 1 else 1) * size + MASK  # gated: input and output of the activation, and the gate
    inputs = size * (shape.d_model * (into if precision == "bf16" else 1) + d_ff) if tuned.full else 0
    return _norm_bytes(tuned) + d_ff * inside + shape.d_model * MASK + inputs


def _score_bytes(shape: Shape, precision: str, gpu: bool) -> float:
    """Per query and key: attention keeps the softmax in fp32, the dropout mask and what is left.

    BART's runs through torch's fused attention, which on a GPU keeps none of them (with dropout, on a CPU, it does).
    T5's has no such path in transformers 4.57.
    """
    fused = shape.positions is not None and gpu
    return 0.0 if fused else FP32 + MASK + _size(precision)


def prediction_memory(tuned: Tuned, task: Task, test: SplitSize, precision: str, gpu: bool) -> float:
    """Bytes at the peak of a prediction: weights, one layer's activations, keys and values, logits."""
    shape, settings, size = tuned.shape, task.settings, _size(precision)
    batch, beams = settings.evaluation_batch_size, settings.generation.num_beams
    if task.labels():
        beams = 1
    source, inner = test.source.longest, shape.heads * shape.d_kv
    written = settings.generation.max_new_tokens if not task.labels() else test.target.longest
    layer = batch * source * (6 * shape.d_model + 2 * shape.d_ff) * FP32
    scores = 0 if shape.positions is not None else 3 * FP32 * batch * shape.heads * source**2
    cache = 2 * size * inner * shape.decoder_layers * batch * beams * (source + written)
    logits = 4 * FP32 * batch * beams * shape.vocabulary * (1 if not task.labels() else written)
    weights = tuned.method.weight_bytes(shape) + (2 * tuned.total if precision == "bf16" else 0)
    libraries = CUDA_WORKSPACE if gpu else LIBRARIES
    fragmentation = GPU_FRAGMENTATION if gpu else CPU_FRAGMENTATION
    return libraries + weights + fragmentation * (layer + scores + cache + logits)
