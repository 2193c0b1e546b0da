"""Callbacks of the Trainer: when it evaluates, and the lines of its log."""

from __future__ import annotations

import math
import time
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import IntervalStrategy

from tunegrid.training.session import Diverged


class Flow(TrainerCallback):
    """Evaluates after the last step, too, so that it can be the best; keeps to the settings after an interruption."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # A checkpoint brings the intervals that it was written with.
        state.compute_steps(args, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if args.eval_strategy == IntervalStrategy.STEPS and state.global_step >= state.max_steps:
            control.should_evaluate = True


class ProgressLine(TrainerCallback):
    """One line of the log now and then: where the run is, how fast, and how long it still takes."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.start, self.first_step = time.perf_counter(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        logs = logs or {}
        if "eval_loss" in logs:
            if not math.isfinite(logs["eval_loss"]):
                raise Diverged(f"the validation loss is {logs['eval_loss']} after {state.global_step} steps")
            print(f"step {state.global_step}/{state.max_steps}  validation loss {logs['eval_loss']:.4f}", flush=True)
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("grad_norm", 0.0)):
            norm = logs.get("grad_norm")
            raise Diverged(f"at step {state.global_step} the loss is {logs['loss']}, the gradient's norm {norm}")
        speed = (state.global_step - self.first_step) / (time.perf_counter() - self.start)
        left = (state.max_steps - state.global_step) / speed
        place = f"step {state.global_step}/{state.max_steps}"
        print(f"{place}  loss {logs['loss']:.4f}  {speed:.1f} steps/s  {left:.0f} s left", flush=True)
