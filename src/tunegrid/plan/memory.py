"""Peak memory of training and of prediction: what stands in memory at each of the moments that can be the highest."""

from __future__ import annotations

from dataclasses import dataclass

from tunegrid.models import Shape
from tunegrid.plan.duration import Tuned
from tunegrid.plan.lengths import SplitSize
from tunegrid.tasks import Task
from tunegrid.training.settings import Training

FP32 = 4
# What a process holds beside the model: Python and the libraries, resident; or CUDA's context and workspaces.
LIBRARIES = 750 * 2**20
CUDA_WORKSPACE = 600 * 2**20
FRAGMENTATION = 1.05  # what allocators hold and cannot give


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes by what they are for; `peak` is the highest moment of a step.

    Attributes:
        weights: fp32 weights, for the whole run.
        optimiser: AdamW's two moments.
        gradients: of all trainable parameters, as they are when a step ends.
        activations: kept for the backward pass, of the longest batch.
        logits: of the head, with their gradient.
        libraries: what the process holds without a model.
    """

    weights: float
    optimiser: float
    gradients: float
    activations: float
    logits: float
    libraries: float
    head_gradient: float
    optimiser_scratch: float

    @property
    def peak(self) -> float:
        # A backward pass starts with all activations and no gradient, and ends the other way round.
        start = self.activations + self.logits + self.head_gradient
        middle = self.activations / 2 + self.gradients / 2
        end = self.gradients + self.optimiser_scratch
        return self.libraries + self.weights + self.optimiser + FRAGMENTATION * max(start, middle, end)


def training_memory(tuned: Tuned, training: Training, train: SplitSize, precision: str, gpu: bool) -> TrainingMemory:
    """Of a run, at its longest batch."""
    shape, batch = tuned.shape, min(training.batch_size, max(train.entries, 1))
    source, target = train.source.longest, train.target.longest
    # Batches of rows of like length have the longest rows in one batch; others hardly ever have several.
    layers = _activations(tuned, batch, source, target, precision, gpu)
    activations = sum(layers)
    if training.gradient_checkpointing:
        inputs = FP32 * batch * shape.d_model * (shape.encoder_layers * source + shape.decoder_layers * target)
        activations = inputs + max(
            layers[0] / max(shape.encoder_layers, 1),
            layers[1] / max(shape.decoder_layers, 1),
        )
    accumulated = training.gradient_accumulation_steps > 1
    weights = FP32 * tuned.total
    if precision == "bf16":
        activations += 2 * (tuned.total - shape.embedding_parameters + shape.vocabulary * shape.d_model)
    gradients = FP32 * tuned.trainable
    return TrainingMemory(
        weights=weights,
        optimiser=2 * gradients,
        gradients=gradients,
        activations=activations + (gradients if accumulated else 0),
        logits=batch * target * shape.vocabulary * _logit_bytes(training, precision),
        libraries=CUDA_WORKSPACE if gpu else LIBRARIES,
        head_gradient=FP32 * shape.vocabulary * shape.d_model if tuned.full else 0,
        # On a GPU all tensors are updated at once, with one temporary copy.
        optimiser_scratch=gradients if gpu else 0,
    )


def _logit_bytes(training: Training, precision: str) -> int:
    """Bytes per logit: the logits, their log-softmax in fp32, its gradient; autocast keeps more than one form."""
    form = FP32 + (2 if precision == "bf16" else 0)
    smoothing = 2 * FP32 if training.label_smoothing else 0  # the smoothed loss is of tensors of its own
    return form + 2 * FP32 + smoothing


def _activations(
    tuned: Tuned, batch: int, source: float, target: float, precision: str, gpu: bool
) -> tuple[float, float]:
    """(encoder's, decoder's) bytes that the backward pass needs."""
    shape = tuned.shape
    encoder = shape.encoder_layers * (
        source * (_attention_bytes(tuned, precision, gpu) + _feed_forward_bytes(tuned, precision, gpu, shape.d_ff))
        + shape.heads * source**2 * _score_bytes(shape, precision, gpu)
    )
    inner, size = shape.heads * shape.d_kv, _size(precision)
    cross = source * 2 * inner * size + target * _attention_bytes(tuned, precision, gpu)
    d_ff = shape.decoder_d_ff or shape.d_ff
    decoder = shape.decoder_layers * (
        target * (_attention_bytes(tuned, precision, gpu) + _feed_forward_bytes(tuned, precision, gpu, d_ff))
        + cross
        + shape.heads * (target**2 + source * target) * _score_bytes(shape, precision, gpu)
    )
    return batch * encoder, batch * decoder


def _size(precision: str) -> int:
    return 2 if precision == "bf16" else FP32


def _mask(gpu: bool) -> int:
    """Bytes of a dropout mask's element: torch on the CPU keeps it as fp32."""
    return 1 if gpu else FP32


def _norm_bytes(tuned: Tuned) -> float:
    """Per token: T5's normalisation keeps its input and the scaled input, BART's keeps its input."""
    shape = tuned.shape
    kept = 1 if shape.family.has_biases else 1 + tuned.full
    return kept * FP32 * shape.d_model


def _attention_bytes(tuned: Tuned, precision: str, gpu: bool) -> float:
    """Per token of an attention block: normalisation, inputs of the projections, query, key, value, output, dropout."""
    shape, size = tuned.shape, _size(precision)
    inner = shape.heads * shape.d_kv
    inputs = shape.d_model * (size * 3 if precision == "bf16" else size)  # autocast casts for each projection
    return (
        _norm_bytes(tuned)
        + inputs
        + 4 * size * inner
        + shape.d_model * _mask(gpu)
        + _method_bytes(tuned, gpu, 4 * shape.d_model, 1)
    )


def _feed_forward_bytes(tuned: Tuned, precision: str, gpu: bool, d_ff: int) -> float:
    """Per token of a feed-forward block: normalisation, input, what is inside (twice: before and after), dropout."""
    shape, size = tuned.shape, _size(precision)
    into = len(shape.family.linear["feed-forward"]) - 1
    # ReLU keeps its output, which is the next layer's input unless dropout stands between; GELU its input.
    inside = (3 * into - 1 if into > 1 else 2) * size + (0 if shape.family.has_biases else _mask(gpu))
    return (
        _norm_bytes(tuned)
        + shape.d_model * size
        + d_ff * inside
        + shape.d_model * _mask(gpu)
        + _method_bytes(tuned, gpu, 2 * shape.d_model + d_ff, 1)
    )


def _method_bytes(tuned: Tuned, gpu: bool, inputs: float, blocks: int) -> float:
    """Per token of a block: what a method's own modules keep: inputs of their layers, and dropout."""
    if tuned.full or not tuned.modules:
        return 0.0
    per_layer = tuned.modules / tuned.layers
    if per_layer > 4:  # beside every linear layer: its input once more, after dropout
        return inputs * (FP32 + _mask(gpu))
    return 3 * FP32 * tuned.shape.d_model * blocks  # bottlenecks: input, inside, output


def _score_bytes(shape: Shape, precision: str, gpu: bool) -> float:
    """Per query and key: T5's attention keeps the softmax in fp32, the dropout mask and what is left.

    BART's runs through torch's fused attention, which keeps none of them. (transformers 4.57: T5 has no such path.)
    """
    if shape.positions is not None:
        return 0.0
    return FP32 + _mask(gpu) + _size(precision)


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
    weights = FP32 * tuned.total + (2 * tuned.total if precision == "bf16" else 0)
    libraries = CUDA_WORKSPACE if gpu else LIBRARIES
    return libraries + weights + FRAGMENTATION * (layer + scores + cache + logits)
