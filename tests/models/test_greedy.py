"""Greedy decoding in which ended answers leave the batch: the same tokens as transformers', of fewer rows."""

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.random_models import METHOD_SETTINGS, TEXTS
from tunegrid.models.decoding import Generation


def ending_early(tokenizer):
    """A processor of logits that ends answers at different lengths, each by its own first tokens."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList

    class EndsEarly(LogitsProcessor):
        def __call__(self, input_ids, scores):
            ends = input_ids.shape[1] > 3 + input_ids[:, :3].sum(-1) % 6
            end = torch.full_like(scores, -torch.inf)
            end[:, tokenizer.eos_token_id] = 0
            return torch.where(ends[:, None], end, scores)

    return LogitsProcessorList([EndsEarly()])


@pytest.mark.parametrize("kind", [*METHOD_SETTINGS, "prefix", "prompt"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_those_of_transformers_and_ended_answers_are_not_computed(random_model, family, kind):
    import torch

    from tunegrid.models.generate import generation_config
    from tunegrid.models.greedy import decoding

    model, tokenizer = random_model(family, kind)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    config = generation_config(model, tokenizer, Generation(max_new_tokens=9))
    own, rows, tokens = decoding(model, config), [], []
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    for way in (None, own):
        rows.clear()
        with torch.inference_mode():
            tokens.append(
                model.generate(
                    input_ids=batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    generation_config=config,
                    use_model_defaults=False,
                    logits_processor=ending_early(tokenizer),
                    custom_generate=way,
                )
            )
    hook.remove()
    assert tokens[0].tolist() == tokens[1].tolist()
    if kind in METHOD_SETTINGS:  # with the weights that the others have here, all answers end at once
        assert len({row.tolist().index(tokenizer.eos_token_id, 2) for row in tokens[0]}) > 1
        assert rows[0] == len(TEXTS)
        assert rows[-1] < len(TEXTS)


def test_beams_and_the_switch_leave_decoding_to_transformers(random_model, monkeypatch):
    from tunegrid.models.generate import generation_config
    from tunegrid.models.greedy import decoding
    from tunegrid.runtime import cpu_tricks

    model, tokenizer = random_model("t5", "full")
    greedy, beams = (
        generation_config(model, tokenizer, Generation(max_new_tokens=9, num_beams=beams)) for beams in (1, 3)
    )
    assert decoding(model, greedy) is not None
    assert decoding(model, beams) is None
    monkeypatch.setattr(cpu_tricks, "_on", False)
    assert decoding(model, greedy) is None
