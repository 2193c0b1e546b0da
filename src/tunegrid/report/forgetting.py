"""The section on forgetting: the pretraining loss on held-out text before and after tuning, and the paper's claim."""

from tunegrid.common.digits import DASH
from tunegrid.report import claims, layout
from tunegrid.report.layout import Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, change, decimal, where
from tunegrid.report.techniques import claims_table
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.intervals import CONFIDENCE


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section on forgetting; None where the study does not measure it."""
    if not expected.forgetting:
        return None
    text = (
        "The pretraining loss says how well a model still does what it was pretrained for, on text that neither "
        f"pretraining nor tuning has seen: {expected.forgetting}. Losses of different models do not compare (BART has "
        "whole texts to write where T5 has spans); changes of one model's do. A method that leaves the base frozen is "
        "measured with what it added: the base by itself has forgotten nothing. The change is the loss after tuning "
        "less that of the untuned model, in nats per token: above 0, something was forgotten."
    )
    rule = (
        "The paper says (section 5.3) that full fine-tuning forgets what was learned in pretraining, and that "
        "adapters, LoRA, prefix and prompt tuning keep it. The first is held against every cell of full fine-tuning: "
        "for it where the interval of the change is above 0, against it where it is below. The second is held against "
        "every pair with full fine-tuning of the same model and task: for it where the loss is lower and a test "
        "separates the two (Holm's correction over the pairs of a task), against it where it is higher. Supported: two "
        "thirds of them or more count for the claim."
    )
    verdicts = [verdict for verdict in claims.verdicts(frames, expected) if verdict.claim.retention]
    tables = [_cells(frames, expected, task) for task in expected.tasks]
    if len(frames["forgetting_methods"]):
        tables.append(_methods(frames, expected))
    caption = "The paper's claims on forgetting, and this study's verdicts."
    tables.append(claims_table("claims-forgetting", caption, verdicts))
    return Section("Forgetting", (text, rule), tuple(tables))


def _cells(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    titles, lines, documents = Titles(expected), [], None
    for row in where(frames["forgetting"], task=task.name).itertuples():
        if row.status != "ok":
            lines.append((*titles.line(row), row.status, DASH, DASH))
            continue
        documents = row.examples
        changed = change(row.change, row.change_low, row.change_high)
        lines.append((*titles.line(row), decimal(row.untuned_loss), decimal(row.loss), changed))
    columns = [MODEL, METHOD, *right("Loss before", "After", f"Change [{CONFIDENCE} interval]")]
    size = f", {documents:,.0f} documents" if documents else ""
    caption = f"{task.title}: pretraining loss before and after tuning, nats per token{size}."
    return layout.plain_table(f"forgetting-{task.name}", caption, columns, lines)


def _methods(frames: Frames, expected: Expected) -> Table:
    titles = Titles(expected)
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in frames["forgetting_methods"].itertuples():
        changed = change(row.change, row.change_low, row.change_high)
        groups.setdefault(titles.tasks[row.task], []).append((titles.methods[row.method], changed))
    columns = [METHOD, *right(f"Change [{CONFIDENCE} interval]")]
    caption = "Change of the pretraining loss by method: means over the models that have all methods."
    return layout.grouped_table("forgetting-methods", caption, columns, groups.items())
