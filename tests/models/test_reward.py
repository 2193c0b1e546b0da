"""Reward models: which state of the decoder they read, and that neither padding nor the batch matters."""

import pytest

from tests.support.checkpoints import FAMILIES


@pytest.fixture
def reward_of(checkpoints):
    import torch

    from tunegrid.models.load import load_model
    from tunegrid.models.reward import RewardModel

    def make(family: str) -> RewardModel:
        torch.manual_seed(0)
        return RewardModel(load_model(checkpoints / family)).eval()

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reward_is_linear_in_the_state_after_the_last_token_of_the_answer(reward_of, checkpoints, family):
    """Held against a forward pass of the whole model over the answer alone."""
    import torch

    from tests.support.methods_on_checkpoints import batch_of

    reward, batch = reward_of(family), batch_of(checkpoints, family)
    pad = reward.model.config.pad_token_id
    labels = batch["labels"].masked_fill(batch["labels"] == pad, -100)
    lengths = (labels != -100).sum(-1).tolist()
    assert lengths[0] != lengths[1]
    with torch.no_grad():
        (raw,) = reward(batch | {"labels": labels}, "labels")
        for row, length in enumerate(lengths):
            answer = batch["labels"][row : row + 1, :length]
            start = torch.tensor([[reward.model.config.decoder_start_token_id]])
            source = batch["input_ids"][row : row + 1, : int(batch["attention_mask"][row].sum())]
            states = reward.model(
                input_ids=source, decoder_input_ids=torch.cat([start, answer], 1), output_hidden_states=True
            ).decoder_hidden_states[-1]
            assert states.shape[1] == length + 1
            by_hand = float(states[0, -1] @ reward.head.weight[0] + reward.head.bias[0])
            assert float(raw[row]) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_each_answer_alone_and_survive_saving(reward_of, checkpoints, tmp_path, family):
    import torch

    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.reward import load_reward_model

    reward, tokenizer = reward_of(family), load_tokenizer(checkpoints / family)
    reward.mean.fill_(0.5)
    reward.spread.fill_(2.0)
    sources = [tokenizer(text)["input_ids"] for text in ("the old key", "a dog is in the garden", "red")]
    answers = [tokenizer(text)["input_ids"] for text in ("a house", "Anna", "the small red house")]
    together = reward.scores(tokenizer, sources, answers, 3)
    for place in range(3):
        alone = reward.scores(tokenizer, sources[place : place + 1], answers[place : place + 1], 1)
        assert float(together[place]) == pytest.approx(float(alone[0]), abs=1e-5)
        (raw,) = reward(
            {"input_ids": torch.tensor([sources[place]]), "attention_mask": torch.ones(1, len(sources[place]), dtype=int),
             "labels": torch.tensor([answers[place]])}, "labels"
        )  # fmt: skip
        assert float(alone[0]) == pytest.approx((float(raw) - 0.5) / 2.0, abs=1e-5)
    reward.save(tmp_path)
    assert torch.equal(load_reward_model(tmp_path).scores(tokenizer, sources, answers, 3), together)
