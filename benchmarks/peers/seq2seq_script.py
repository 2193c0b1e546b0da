"""The same work, done by a plain `Seq2SeqTrainer` script, written the way the public examples are.

Usage: python seq2seq_script.py --model FOLDER --train_file F --test_file F --output_dir DIR --do_train [options]

After `examples/pytorch/translation/run_translation.py` and `question-answering/run_seq2seq_qa.py` of transformers 4.57,
and `run_translation.py` of adapters 1.3: texts are tokenised by `datasets.map`, batches are drawn at random, evaluation
generates row after row in the order of the file. Their defaults are this script's: batches of 8, padding to the longest
batch for translation, `--pad_to_max_length` for question answering (and for classification, as text-to-text notebooks
do). With --method lora peft wraps the model as its own seq2seq example does; with --method adapters the adapters
library's `Seq2SeqAdapterTrainer` trains. Files are JSON Lines of `source` and `target`. Prints JSON: seconds
and peak memory; writes `predictions.jsonl`.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

START = time.perf_counter()


def main() -> None:
    options = parser().parse_args()
    import torch
    from datasets import load_dataset
    from transformers import (
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Seq2SeqTrainer,
        Seq2SeqTrainingArguments,
        set_seed,
    )

    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=False)
    model = AutoModelForSeq2SeqLM.from_pretrained(
        options.weights or options.model, dtype=torch.float32, trust_remote_code=False
    )
    trainer_class: Any = Seq2SeqTrainer
    if options.method == "lora":
        model = with_lora(model, options)
    elif options.method == "adapters":
        from adapters import Seq2SeqAdapterTrainer

        model, trainer_class = with_adapters(model, options), Seq2SeqAdapterTrainer

    padding = "max_length" if options.pad_to_max_length else False

    def preprocess(rows: dict[str, list]) -> dict[str, Any]:
        inputs = tokenizer(rows["source"], max_length=options.max_source_length, padding=padding, truncation=True)
        labels = tokenizer(
            text_target=rows["target"], max_length=options.max_target_length, padding=padding, truncation=True
        )
        if options.pad_to_max_length:  # padding is no target
            pad = tokenizer.pad_token_id
            labels["input_ids"] = [[-100 if id == pad else id for id in ids] for ids in labels["input_ids"]]
        inputs["labels"] = labels["input_ids"]
        # As `remove_unused_columns`, which is off below, would do: no model here takes them.
        inputs.pop("token_type_ids", None)
        return inputs

    def dataset(file: str) -> Any:
        rows = load_dataset("json", data_files=file, split="train", cache_dir=str(options.output_dir / "cache"))
        return rows.map(preprocess, batched=True, remove_columns=rows.column_names)

    arguments = Seq2SeqTrainingArguments(
        output_dir=str(options.output_dir),
        per_device_train_batch_size=options.per_device_train_batch_size,
        per_device_eval_batch_size=options.per_device_eval_batch_size,
        learning_rate=options.learning_rate,
        num_train_epochs=options.num_train_epochs,
        max_steps=options.max_steps,
        warmup_ratio=options.warmup_ratio,
        bf16=options.bf16,
        use_cpu=options.device == "cpu",
        seed=options.seed,
        predict_with_generate=True,
        generation_max_length=options.generation_max_length,
        generation_num_beams=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        label_names=["labels"],
        # The adapters library hides the model's signature, and the Trainer would drop the attention mask as unused.
        remove_unused_columns=False,
    )
    trainer = trainer_class(
        model=model,
        args=arguments,
        train_dataset=dataset(options.train_file) if options.do_train else None,
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=-100),
    )
    if options.method == "adapters":
        trainer.model_accepts_loss_kwargs = False  # else it crashes on T5: num_items_in_batch
    report = {"start_seconds": time.perf_counter() - START}
    if options.do_train:
        began = time.perf_counter()
        trainer.train()
        report["train_seconds"] = time.perf_counter() - began
        report["train_peak_bytes"] = peak(options.device)
        report["steps"] = trainer.state.global_step
    if options.do_predict:
        test = dataset(options.test_file)
        began = time.perf_counter()
        output = trainer.predict(test)
        report["predict_seconds"] = time.perf_counter() - began
        report["predict_peak_bytes"] = peak(options.device)
        ids = output.predictions
        ids[ids == -100] = tokenizer.pad_token_id
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        lines = (json.dumps({"prediction": text.strip()}, ensure_ascii=False) + "\n" for text in texts)
        (options.output_dir / "predictions.jsonl").write_text("".join(lines), encoding="utf-8")
    report["wall_seconds"] = time.perf_counter() - START
    print(json.dumps(report))


def with_lora(model: Any, options: argparse.Namespace) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.SEQ_2_SEQ_LM,
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=options.lora_targets,
    )
    return get_peft_model(model, config)


def with_adapters(model: Any, options: argparse.Namespace) -> Any:
    import adapters
    from adapters import DoubleSeqBnConfig

    adapters.init(model)
    model.add_adapter("task", config=DoubleSeqBnConfig(reduction_factor=options.reduction_factor))
    model.train_adapter("task")
    return model


def peak(device: str) -> int:
    """Peak memory in bytes: what tensors held on the GPU, or else what of this process was resident."""
    if device == "cuda":
        from torch import cuda

        return cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parser() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    one.add_argument("--model", required=True, help="a checkpoint in the Hub's layout")
    one.add_argument("--weights", help="read the weights from here (a full fine-tuning), to predict only")
    one.add_argument("--method", choices=("full", "lora", "adapters"), default="full")
    one.add_argument("--train_file")
    one.add_argument("--test_file")
    one.add_argument("--output_dir", type=Path, required=True)
    one.add_argument("--do_train", action="store_true")
    one.add_argument("--do_predict", action="store_true")
    one.add_argument("--pad_to_max_length", action="store_true")
    one.add_argument("--max_source_length", type=int, default=384)
    one.add_argument("--max_target_length", type=int, default=128)
    one.add_argument("--generation_max_length", type=int, default=128)
    one.add_argument("--per_device_train_batch_size", type=int, default=8)
    one.add_argument("--per_device_eval_batch_size", type=int, default=8)
    one.add_argument("--learning_rate", type=float, default=5e-5)
    one.add_argument("--num_train_epochs", type=float, default=3.0)
    one.add_argument("--max_steps", type=int, default=-1)
    one.add_argument("--warmup_ratio", type=float, default=0.0)
    one.add_argument("--bf16", action="store_true")
    one.add_argument("--seed", type=int, default=42)
    one.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--lora_r", type=int, default=8)
    one.add_argument("--lora_alpha", type=int, default=16)
    one.add_argument("--lora_dropout", type=float, default=0.0)
    one.add_argument("--lora_targets", nargs="+")
    one.add_argument("--reduction_factor", type=float, default=16)
    return one


if __name__ == "__main__":
    main()
