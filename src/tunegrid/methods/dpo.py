"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290): preferences without a reward model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunegrid.common.citations import PANG_2024, RAFAILOV_2023, Formula
from tunegrid.common.fields import Name
from tunegrid.methods.needs import Need, PreferencePairs, TrainedReward
from tunegrid.methods.start import StartedMethod, StartedSettings
from tunegrid.models.flops import REFERENCE_FORMULA, Stacks, Tokens, counted, reference_flops

if TYPE_CHECKING:
    import torch

    from tunegrid.training.session import Observer, TrainingSession, TrainingSummary


class DpoSettings(StartedSettings):
    """Settings of direct preference optimisation."""

    kind: Literal["dpo"]
    pairs: Name = Field(description="The pairs, a name under `preferences`.")
    reward: Name | None = Field(
        None,
        description="A reward model that judges the answers during training, and alters nothing; none: nothing does.",
    )
    beta: float = Field(
        0.1, gt=0, le=100, description="Weight of the reference: the higher, the closer the model stays to its start."
    )
    chosen_weight: float = Field(
        0.0,
        ge=0,
        le=1_000,
        description="Weight of the cross-entropy of the chosen answer's tokens, added to the loss, so that it does not "
        "become less likely, too (Pang et al. 2024, with 1).",
    )


class Dpo(StartedMethod):
    """Raises the log-probability of chosen answers over that of rejected ones, relative to the model at the start."""

    Settings = DpoSettings
    settings: DpoSettings
    title = "DPO"
    tunes = "all or an update, from pairs"
    effort = 1.5  # the decoder reads two answers
    answers = 2
    forward_formula = REFERENCE_FORMULA
    about = Formula(
        title,
        r"\mathcal{L} = -\log \sigma\left(\beta \log\dfrac{\pi_\theta(y_w \mid x)}{\pi_{\mathrm{SFT}}(y_w \mid x)} - "
        r"\beta \log\dfrac{\pi_\theta(y_l \mid x)}{\pi_{\mathrm{SFT}}(y_l \mid x)}\right)",
        "the loss is minus log sigma of beta times the log ratio of the tuned model to the S F T model for the chosen "
        "answer minus the same for the rejected answer",
        "Of each pair of answers to a prompt x, chosen (w) and rejected (l), the model is trained to prefer the "
        "former by more than the model that it starts from does (SFT, the run of another method with the same seed). β "
        "weighs that start. No reward model and no sampling is needed. The cross-entropy of the chosen answers can be "
        "added.",
        (RAFAILOV_2023, PANG_2024),
    )

    @property
    def forward_models(self) -> int:
        # The log-probabilities of the start are known before the first step.
        return 2 if self.settings.reward else 0

    def forward_flops(self, own: Stacks, plain: Stacks, seen: Tokens, whole: Tokens) -> float:
        return reference_flops(plain, whole)

    def needs(self) -> list[Need]:
        judge = [TrainedReward(self.settings.reward)] if self.settings.reward else []
        return [*super().needs(), PreferencePairs(self.settings.pairs), *judge]

    def fit(self, session: TrainingSession) -> TrainingSummary:
        import torch

        from tunegrid.runtime import measure
        from tunegrid.tasks.pair_tokens import pair_table
        from tunegrid.training.batches import Collator, TokenDataset
        from tunegrid.training.trainer import fit

        clock, pairs = measure.clock(), self.inputs[PreferencePairs(self.settings.pairs)]
        tables = {
            split: pair_table(pairs.settings, session.task, session.tokenizer, pairs.rows[split], first)
            for split, first in (("train", 0), ("validation", len(pairs.rows["train"])))
        }
        plain = counted(self.reference())
        # At the start the model in the session is the reference itself.
        datasets = [TokenDataset(table, with_rows=True) for table in tables.values()]
        collator = Collator(session.tokenizer, session.model)
        with session.stop.interrupting():
            found = [
                _log_probabilities(session, batch)
                for dataset in datasets
                for batch in _batches(session, collator, dataset)
            ]
        self._reference = [torch.cat(parts) for parts in zip(*found, strict=True)]
        seconds = measure.clock() - clock
        summary = fit(
            replace(
                session,
                train=tables["train"],
                validation=tables["validation"],
                validates_objective=True,
                observe=self._observer(session, collator, datasets[1]),
            )
        )
        summary.evaluation_seconds += seconds
        summary.forward_flops = reference_flops(plain, _tokens(tables.values()))
        return summary

    def loss(self, session: TrainingSession, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        from torch.nn.functional import logsigmoid

        margins, chosen = self._margins(session, batch)
        loss = -logsigmoid(self.settings.beta * margins).mean()
        return loss - self.settings.chosen_weight * chosen.mean() if self.settings.chosen_weight else loss

    def _margins(self, session: TrainingSession, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """(log π(chosen) / π_SFT(chosen) - log π(rejected) / π_SFT(rejected), log π(chosen) per token), [rows]."""
        from tunegrid.models.likelihood import IGNORED, pair_log_probabilities

        chosen, rejected = pair_log_probabilities(session.model, batch)
        reference_chosen, reference_rejected = (tensor[batch["row"]] for tensor in self._reference)
        margins = (chosen - reference_chosen) - (rejected - reference_rejected)
        return margins, chosen / (batch["labels"] != IGNORED).sum(-1)

    def _observer(self, session: TrainingSession, collator: Any, dataset: Any) -> Any:
        """Computes what DPO has come to on the validation pairs: share of pairs in the right order, mean margin."""
        import torch

        judge = self._judge(session)

        def observe(model: torch.nn.Module) -> dict[str, float]:
            with torch.inference_mode(), session.autocast():
                margins = [self._margins(session, batch)[0] for batch in _batches(session, collator, dataset)]
            margin = torch.cat(margins)
            return {
                "pair_accuracy": float((margin > 0).float().mean()),
                "pair_margin": float(self.settings.beta * margin.mean()),
                **judge(model),
            }

        return observe

    def _judge(self, session: TrainingSession) -> Observer:
        """Computes what the reward model says of the answers; nothing without one."""
        from tunegrid.training.preferences import observe

        if self.settings.reward is None:
            return lambda model: {}
        device = next(session.model.parameters()).device
        reward = self.inputs[TrainedReward(self.settings.reward)]().to(device)
        return observe.Observer(session, self.reference().to(device).requires_grad_(False), reward)


def _tokens(tables: Iterable[Any]) -> Tokens:
    """The tokens of tables of pairs, of both answers to each prompt."""
    columns = [table.column(name).to_pylist() for table in tables for name in ("input_ids", "labels", "rejected")]
    lengths = [sum(map(len, column)) for column in columns]
    targets = sum(len(column) for column in columns[1::3] + columns[2::3])
    return Tokens(targets, sum(lengths[::3]), sum(lengths[1::3]) + sum(lengths[2::3]))


def _batches(session: TrainingSession, collator: Any, dataset: Any) -> Iterator[dict[str, torch.Tensor]]:
    """The rows of a data set in their order, where the model in the session is."""
    size, device = session.training.batch_size, next(session.model.parameters()).device
    for start in range(0, len(dataset), size):
        batch = collator([dataset[place] for place in range(start, min(start + size, len(dataset)))])
        yield {name: tensor.to(device) for name, tensor in batch.items()}


def _log_probabilities(session: TrainingSession, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    from tunegrid.models.likelihood import pair_log_probabilities

    # No inference mode: these tensors are part of what is differentiated later.
    with torch.no_grad(), session.autocast():
        return pair_log_probabilities(session.model.eval(), batch)
