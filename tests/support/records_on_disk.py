"""Made-up records of a study: ceilings, training, the cost of an answer, provenance."""

from typing import Any

from tunegrid.results.expected import ExpectedTask
from tunegrid.runtime.provenance import digest


def ceiling_record(task: ExpectedTask, examples: int, complete: bool, **changes: Any) -> dict[str, Any]:
    """A ceiling.json: of a vocabulary that can write everything, or of one that loses letters of two answers."""
    perfect = {metric.name: 1.0 for metric in task.all_metrics}
    loses = not complete and task.labels is None
    written = dict.fromkeys(perfect, 0.995) if loses else perfect
    lost = [{"character": character, "rows": rows} for character, rows in (("Ö", 2), ("ạ", 1))] if loses else []
    return {
        "schema_version": 1,
        "examples": examples,
        "max_target_length": 32,
        "max_new_tokens": 24,
        "references": perfect,
        "written": written,
        "within_lengths": written,
        "not_written": 2 if loses else 0,
        "spacing_changed": 0,
        "too_long": 0,
        "longest_target": 14,
        "lost_characters": lost,
        "unread": 4 if loses else 0,
        "unread_characters": lost,
        "source": {"texts": examples, "words": 40 * examples, "tokens": 56 * examples},
        "target": {"texts": examples, "words": 2 * examples, "tokens": 5 * examples},
        "labels": [],
    } | changes


def inference(kind: str, method: str) -> dict[str, Any]:
    """The part of metrics.json about one answer: LoRA is slower than full fine-tuning, and as fast once it is merged."""
    token = None if kind == "sentiment" else 0.004

    def speed(factor: float) -> dict[str, Any]:
        return {
            "latency_seconds": 0.02 * factor,
            "latency_p90_seconds": 0.03 * factor,
            "token_seconds": token and token * factor,
            "batch_examples_per_second": 800 / factor,
        }

    merged = method == "lora"
    return {
        "flops": 1.0e7 if method == "full" else 1.1e7,
        "merged_flops": 1.0e7 if merged else None,
        "flops_formula": "2 N tokens",
        "generated_tokens": token and 5.0,
        "latency_examples": 20,
        "batch_examples": 64,
        "unmerged": speed(1.0 if method == "full" else 1.5),
        "merge": {"full": "plain", "lora": "merged", "adapters": "undefined"}[method],
        "merged": speed(1.0) if merged else None,
        "merge_seconds": 0.01 if merged else None,
        "merged_compared": 80 if merged else None,
        "merged_differences": 1 if merged else None,
        "measuring_seconds": 0.8,
    }


def train_record(task: str, model: str, method: str, seed: int, **changes: Any) -> dict[str, Any]:
    trainable = {"full": 250_000, "lora": 18_000, "adapters": 12_000}[method]
    settings = {"lora": {"kind": "lora", "rank": 8, "alpha": 16, "dropout": 0.05}, "adapters": {"reduction_factor": 4}}
    record = {
        "schema_version": 1,
        "task": task,
        "model": model,
        "method": method,
        "seed": seed,
        "status": "ok",
        "reason": None,
        "configuration": {
            "method": settings.get(method, {"kind": "full"}),
            "training": {"learning_rate": 2e-3, "batch_size": 32, "gradient_accumulation_steps": 1},
        },
        "parameters": {"total": 250_000 + (trainable if method != "full" else 0), "trainable": trainable},
        "injected": {"count": 0, "expected": 0, "modules": []},
        "cost": {
            "loading_seconds": 4.0,
            "optimisation_seconds": 21.5,
            "evaluation_seconds": 1.0,
            "saving_seconds": 0.2,
            "steps": 600,
            "examples": 19200,
            "tokens": 900000,
            "examples_per_second": 900.0,
            "tokens_per_second": 42000.0,
            "peak_memory_bytes": 700 * 2**20,
            "saved_bytes": 4 * trainable,
            "training_flops": 1.5e12,
            "flops_formula": "6 N tokens",
        },
        "provenance": provenance(task, model),
    } | changes
    return {"configuration_hash": digest({**record["configuration"], "seed": seed})} | record


def provenance(task: str, model: str | None) -> dict[str, Any]:
    return {
        "packages": {"torch": "2.13.0", "transformers": "4.57.6", "peft": "0.21.2", "adapters": "1.3.0"},
        "python": "3.11.7",
        "platform": "Linux x86_64",
        "processor": "A processor",
        "accelerator": None,
        "threads": 1,
        "precision": "fp32" if model else None,
        "instruction_set": "AVX512" if model else None,
        "fp32_library": "mkl" if model else None,
        "git_commit": "0123456789abcdef",
        "code_version": "c0de",
        "data_fingerprint": f"d-{task}",
        "model_fingerprint": "m" if model else None,
        "started": "2025-06-01T10:00:00+00:00",
        "finished": "2025-06-01T10:01:00+00:00",
    }
