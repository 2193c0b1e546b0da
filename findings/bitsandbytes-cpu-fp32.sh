#!/usr/bin/env bash
# bitsandbytes 0.50.2: a 4-bit layer that is told to compute in fp32 computes in bf16 on a CPU, but only outside of training.
#
# Expected: Linear4bit(…, compute_dtype=torch.float32) multiplies by its unpacked weights in fp32, in training and in
# prediction. Seen, on a CPU with bf16 instructions: in `eval()` without gradients the first call repacks the weights for a
# kernel that rounds to bf16, and the answers differ from those of `train()` by half a percent of the largest. A model that
# is evaluated is another one than was trained; two machines, of which one has the instructions, give two scores.
# For a user: set `layer.support_avx512bf16_for_cpu = False`, as TuneGrid does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if ! grep -q avx512_bf16 /proc/cpuinfo; then
  echo "This CPU has no bf16 instructions (AVX512-BF16): nothing to see here."
  exit 0
fi
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check bitsandbytes==0.50.2 torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^(bitsandbytes|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Params4bit


def layer(may_repack):
    torch.manual_seed(0)
    made = Linear4bit(128, 64, bias=False, compute_dtype=torch.float32, quant_type="nf4")
    made.weight = Params4bit(torch.randn(64, 128), requires_grad=False, quant_type="nf4")
    if not may_repack:
        made.support_avx512bf16_for_cpu = False
    return made.to("cpu")  # which packs


def off(made):
    """Largest difference to the product with the unpacked weights in fp32, by the largest value."""
    product = rows @ weight.T
    with torch.no_grad():
        return float((made(rows) - product).abs().max() / product.abs().max())


rows = torch.randn(5, 128, generator=torch.Generator().manual_seed(1))
packed = layer(may_repack=False)
weight = dequantize_4bit(packed.weight.data, packed.weight.quant_state).float()
errors = {
    "train()": off(layer(may_repack=True).train()),
    "eval()": off(layer(may_repack=True).eval()),
    "eval(), repacking forbidden": off(layer(may_repack=False).eval()),
}
for name, error in errors.items():
    print(f"{name}: differs from fp32 by {error:.1e} of the largest value")
if not (errors["eval()"] > 1e-4 and max(errors["train()"], errors["eval(), repacking forbidden"]) < 1e-5):
    sys.exit("CHANGED: the errors are others now")
PY
echo "As described above."
