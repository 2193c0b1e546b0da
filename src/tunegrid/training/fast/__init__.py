"""Faster training on a CPU, behind the switch `hardware.cpu_tricks`.

Without it everything still works, slower and with more memory.

Each trick computes what the libraries compute, in another order or with other random numbers: dropout masks of a byte,
batches in groups of rows of similar length, the loss in parts, T5's norm and Flan-T5's GELU at once. Further tricks lie
where they act: kernels, memory and imports of a process (`runtime/cpu_kernels.py`, `cpu_memory.py`,
`light_imports.py`), encoding in parts (`models/encoder.py`), the size of batches (`models/generate.py`), ended answers
that leave them (`models/greedy.py`), LoRA's layers (`training/fast/lora.py`). `hardware: {cpu_tricks: false}` in a
study switches all of them off (`runtime/cpu_tricks.py`).
"""
