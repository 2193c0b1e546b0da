"""Settings within their bounds with which any training diverges."""

# AdamW multiplies every weight by 1 - 10 * 10 in each step, so that after a dozen no number can hold them.
DIVERGING = {
    "learning_rate": 10.0,
    "weight_decay": 10.0,
    "max_grad_norm": 1_000_000.0,
    "schedule": "constant",
    "max_steps": 24,
}
