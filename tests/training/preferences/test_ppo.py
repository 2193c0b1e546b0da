"""The loop of PPO: a bandit whose optimum is known, and what the models say of sampled answers."""

from types import SimpleNamespace

import pytest

from tests.support.checkpoints import FAMILIES
from tunegrid.models.decoding import Generation
from tunegrid.training.preferences.settings import PpoOptions
from tunegrid.training.session import TrainingSession
from tunegrid.training.settings import Training

PRIZES = {7: 1.0, 11: 0.5}  # token -> reward; 0 for all others


@pytest.fixture
def loaded(checkpoints):
    """The tests' checkpoint of a family without dropout, and its tokenizer."""

    def load(family: str):
        from tunegrid.data.tokens import load_tokenizer
        from tunegrid.models.likelihood import without_dropout
        from tunegrid.models.load import load_model

        model = load_model(checkpoints / family).eval()
        without_dropout(model)
        return model, load_tokenizer(checkpoints / family)

    return load


def bandit(loaded, tmp_path, monkeypatch, options: PpoOptions, steps: int):
    """Trains one-token answers to one prompt; returns the probabilities before and after, [vocabulary]."""
    import torch

    from tunegrid.training.preferences import ppo, rollouts

    real = rollouts.generation_config

    def one_token(*given):
        config = real(*given)
        config.max_new_tokens = 1
        return config

    monkeypatch.setattr(rollouts, "generation_config", one_token)
    torch.manual_seed(0)
    (model, tokenizer), (reference, _) = loaded("t5"), loaded("t5")
    source = tokenizer("the old key")["input_ids"]

    def probabilities(of) -> torch.Tensor:
        with torch.no_grad():
            start = torch.tensor([[of.config.decoder_start_token_id]])
            return of(input_ids=torch.tensor([source]), decoder_input_ids=start).logits[0, 0].softmax(-1)

    session = TrainingSession(
        model=model,
        tokenizer=tokenizer,
        task=SimpleNamespace(settings=SimpleNamespace(generation=Generation(max_new_tokens=1))),
        read_rows=list,
        train=None,
        validation=None,
        training=Training(learning_rate=3e-3, max_steps=steps, batch_size=64, warmup_ratio=0.0, max_grad_norm=1.0),
        seed=1,
        precision="fp32",
        checkpoints=tmp_path,
    )
    prizes = torch.zeros(model.config.vocab_size)
    for token, prize in PRIZES.items():
        prizes[token] = prize
    before = probabilities(reference)
    summary = ppo.fit(session, reference, lambda answers: prizes[answers.batch["labels"][:, 0]], options, [source] * 8)
    assert summary.steps == steps
    assert summary.examples == 64 * steps
    return before, probabilities(model), prizes


def test_ppo_finds_the_optimum_of_a_bandit(loaded, tmp_path, monkeypatch):
    """Of E[R] - β KL(π, π_SFT) the best π is π_SFT exp(R / β), normalised (Ziegler et al. 2019, section 2)."""
    beta = 0.25
    options = PpoOptions(kl_coefficient=beta, unended_penalty=0.0)
    before, after, prizes = bandit(loaded, tmp_path, monkeypatch, options, steps=120)
    best = before * (prizes / beta).exp()
    best /= best.sum()

    def value(policy) -> float:
        return float((policy * (prizes - beta * (policy / before).log())).sum())

    assert value(before) < 0.5 * value(best), "the bandit has something to learn"
    assert value(after) > 0.95 * value(best)
    for token in PRIZES:
        assert float(after[token]) == pytest.approx(float(best[token]), abs=0.1)


def test_without_a_penalty_the_best_arm_takes_all(loaded, tmp_path, monkeypatch):
    options = PpoOptions(kl_coefficient=0.0, unended_penalty=0.0)
    before, after, _ = bandit(loaded, tmp_path, monkeypatch, options, steps=60)
    assert before[7] < 0.1
    assert after[7] > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_sampled_answers_have_the_log_probabilities_that_they_were_drawn_with(loaded, family):
    """The step-by-step scores of generation against one pass over the same tokens; what follows the end is masked."""
    import torch

    from tunegrid.training.preferences.rollouts import (
        divergences,
        log_probabilities,
        log_probabilities_and_values,
        sample,
    )

    model, tokenizer = loaded(family)
    sources = [tokenizer(text)["input_ids"] for text in ("the old key", "a dog is in the garden", "red")] * 8
    seen = []
    real = model.generate

    def generate(**given):
        given["generation_config"].update(return_dict_in_generate=True, output_logits=True)
        output = real(**given)
        seen.append(torch.stack(output.logits, 1).log_softmax(-1))
        return output.sequences

    model.generate = generate
    torch.manual_seed(3)
    answers = sample(model, tokenizer, sources, Generation(max_new_tokens=12))
    labels, mask = answers.batch["labels"], answers.mask
    with torch.no_grad():
        found = log_probabilities(model, answers)
        head = torch.nn.Linear(model.get_input_embeddings().embedding_dim, 1)
        again, values = log_probabilities_and_values(model, head, answers.batch)
    other, _ = loaded(family)
    with torch.no_grad():
        torch.testing.assert_close(divergences(model, other, answers), torch.zeros(len(sources)), atol=1e-4, rtol=0)
        for parameter in other.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        apart = divergences(model, other, answers)
        assert bool((apart > 0).all())
        own, base = (
            of(input_ids=answers.batch["input_ids"], attention_mask=answers.batch["attention_mask"],
               labels=labels).logits.double().softmax(-1)
            for of in (model, other)
        )  # fmt: skip
        by_hand = sum((own[0, t] * (own[0, t] / base[0, t]).log()).sum() for t in mask[0].nonzero().flatten())
        assert float(apart[0]) == pytest.approx(float(by_hand), rel=1e-3)
    torch.testing.assert_close(again, found, atol=1e-4, rtol=1e-4)
    assert values.shape == labels.shape == mask.shape
    drawn = seen[0].gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(found[mask], drawn[mask], atol=1e-4, rtol=1e-4)
    assert len(set(map(tuple, answers.token_ids()))) > 3, "answers differ"
    for ids, chosen, ended in zip(answers.token_ids(), mask, answers.ended, strict=True):
        assert (ids[-1] == tokenizer.eos_token_id) == bool(ended)
        assert int(chosen.sum()) == len(ids) - (family == "bart")


def test_a_model_whose_logits_are_no_numbers_draws_no_answer(loaded):
    import torch

    from tunegrid.models.generate import NonFiniteLogits
    from tunegrid.training.preferences.rollouts import sample

    model, tokenizer = loaded("t5")
    with torch.no_grad():
        model.get_decoder().final_layer_norm.weight.fill_(float("nan"))
    with pytest.raises(NonFiniteLogits, match="not finite"):
        sample(model, tokenizer, [tokenizer("the old key")["input_ids"]], Generation(max_new_tokens=4))
