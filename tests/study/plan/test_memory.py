"""Memory of a plan: by hand, and what each setting saves."""

import json

from tests.support.planned import HAND, architecture, batch, method_of, tuned
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES, Shape
from tunegrid.study.plan.memory import training_memory
from tunegrid.training.settings import Training


def test_what_a_full_finetuning_keeps_by_hand():
    training = Training(learning_rate=1.0, max_steps=1, batch_size=2)
    found = training_memory(tuned(HAND, "full"), training, batch(2, 10, 5), "fp32", gpu=True)
    parameters = HAND.parameters
    assert (found.weights, found.gradients, found.optimiser) == (4 * parameters, 4 * parameters, 8 * parameters)
    assert found.logits == 2 * 5 * 100 * (4 + 4 + 4)  # logits, log-softmax, gradient
    # Per token of an attention block: the normalisation keeps its input and what it scales (2 x 8 numbers), the
    # projections their input (8) and the output's (4), query, key and value (3 x 4), and a byte of mask for each of 8.
    attention = 4 * (2 * 8 + 8 + 4 + 3 * 4) + 8
    # Of a feed-forward block: the same two, the input, 16 numbers before and after dropout, its mask, the mask of 8.
    feed_forward = 4 * (2 * 8 + 8 + 2 * 16) + 16 + 8
    # Per pair of tokens and head: the softmax in fp32, the mask, and what is left.
    score = 4 + 1 + 4
    encoder = 2 * (10 * (attention + feed_forward) + 10 * 10 * score)
    decoder = 5 * (2 * attention + feed_forward) + 10 * 2 * 4 * 4 + (5 * 5 + 5 * 10) * score
    assert found.activations == 2 * (encoder + decoder)


def test_methods_that_train_little_keep_little_for_the_optimiser():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(architecture("google-t5--t5-base")))
    training, split = Training(learning_rate=1.0, max_steps=1, batch_size=1), batch(1, 32, 8)
    full, lora = (training_memory(tuned(shape, kind), training, split, "bf16", gpu=True) for kind in ("full", "lora"))
    # T5-base has 222,903,552 parameters: 16 bytes of each for weights, gradient and moments.
    assert full.weights + full.gradients + full.optimiser == 16 * 222_903_552
    assert lora.weights == lora.gradients + 4 * 222_903_552
    assert lora.gradients < 0.05 * full.gradients
    assert lora.peak < 0.5 * full.peak


def test_gradient_checkpointing_and_smaller_batches_save_memory():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(architecture("google-t5--t5-base")))
    split = batch(64, 512, 32)

    def activations(**settings) -> float:
        training = Training(learning_rate=1.0, max_steps=1, **settings)
        return training_memory(tuned(shape, "lora"), training, split, "bf16", gpu=True).activations

    whole = activations(batch_size=32)
    assert activations(batch_size=16) < 0.55 * whole
    assert activations(batch_size=32, gradient_checkpointing=True) < 0.3 * whole


def test_on_a_cpu_only_a_group_of_a_batch_is_in_memory():
    shape = Shape.from_config(FAMILIES["t5"], json.loads(architecture("google-t5--t5-base")))

    def activations(rows: int, gpu: bool) -> float:
        training = Training(learning_rate=1.0, max_steps=1, batch_size=rows)
        return training_memory(tuned(shape, "lora"), training, batch(64, 512, 32), "fp32", gpu=gpu).activations

    assert activations(32, gpu=True) == 2 * activations(16, gpu=True)
    # 2^20 / 768 tokens are two rows of 544. Beside them the gradients of the groups before are kept.
    gradients = 4 * tuned(shape, "lora").trainable
    assert activations(32, gpu=False) == activations(2, gpu=False) + gradients < activations(3, gpu=True)


def test_what_the_modules_of_a_method_keep_by_hand():
    lora = METHODS["lora"](METHODS["lora"].Settings(kind="lora", targets=["query", "value"]), FAMILIES["t5"])
    # Of 8 numbers in fp32, which query and value share, and a byte of mask for each of the two.
    attention = 8 * 4 + 2 * 8
    encoder, decoder = lora.activation_bytes(HAND, source=10, target=5)
    assert encoder == 2 * 10 * attention
    # Cross-attention's value has a mask of its own; its input is the encoder's output, which is kept anyway.
    assert decoder == 5 * 2 * attention + 10 * 8
    assert method_of("bitfit", "bart").activation_bytes(HAND, 10, 5) == (0, 0)
    assert method_of("adapters", "t5").activation_bytes(HAND, 10, 5) == (2 * 10 * 2 * 3 * 4 * 8, 5 * 3 * 3 * 4 * 8)
