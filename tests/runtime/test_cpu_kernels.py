"""Which library multiplies, and in which precision: by what the processor can do, and never at the cost of exactness."""

import pytest

from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.hardware import Hardware
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import evaluation_settings, run_settings

AMD = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 avx512f avx512_bf16\n\nvendor_id\t: other\nflags\t: amx_bf16\n"
INTEL = "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512f\n"
INTEL_AMX = "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\n"
OLD = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n"


@pytest.fixture(autouse=True)
def restored():
    from torch.backends import mkldnn

    before = mkldnn.matmul.fp32_precision, cpu_kernels._chosen
    cpu_kernels.onednn_is_faster.cache_clear()
    yield
    mkldnn.matmul.fp32_precision, cpu_kernels._chosen = before
    cpu_kernels.onednn_is_faster.cache_clear()


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    def pretend(text: str | None) -> None:
        file = tmp_path / "cpuinfo"
        if text is not None:
            file.write_text(text)
        monkeypatch.setattr(cpu_kernels, "CPUINFO", file)

    return pretend


def model(width: int):
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(T5Config(d_model=width, d_kv=8, d_ff=8, num_layers=1, num_heads=1, vocab_size=9))


def product_error() -> float:
    import torch

    left, right = torch.randn(2, 300, 300, generator=torch.Generator().manual_seed(1))
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("width", [64, 512])
def test_whatever_is_chosen_here_computes_in_fp32(width):
    """bf16 inside would be wrong by 2e-3."""
    import torch

    cpu_kernels.place(model(width), torch.device("cpu"))
    assert cpu_kernels.chosen() in ("mkl", "onednn")
    assert product_error() < 1e-5


def test_onednn_is_for_wide_models_alone(monkeypatch):
    import torch
    from torch.backends import mkldnn

    monkeypatch.setattr(cpu_kernels, "onednn_is_faster", lambda: True)
    cpu_kernels.place(model(512), torch.device("cpu"))
    assert (cpu_kernels.chosen(), mkldnn.matmul.fp32_precision) == ("onednn", "bf16")
    cpu_kernels.place(model(64), torch.device("cpu"))
    assert (cpu_kernels.chosen(), mkldnn.matmul.fp32_precision) == ("mkl", "none")


@pytest.mark.parametrize(
    ("text", "error", "faster"),
    [(AMD, 1e-6, True), (AMD, 2e-3, False), (INTEL, 1e-6, False), (INTEL_AMX, 2e-3, False), (OLD, 1e-6, False)],
    ids=["exact", "bf16 inside", "MKL's own", "MKL's own, AMX", "no AVX-512"],
)
def test_onednn_needs_a_foreign_processor_with_avx512_and_an_exact_product(cpu, monkeypatch, text, error, faster):
    from torch.backends import mkldnn

    cpu(text)
    monkeypatch.setattr(cpu_kernels, "_error", lambda: error)
    before = mkldnn.matmul.fp32_precision
    assert cpu_kernels.onednn_is_faster() is faster
    assert mkldnn.matmul.fp32_precision == before, "asking alters nothing"


@pytest.mark.parametrize(
    ("text", "precision"), [(AMD, "bf16"), (INTEL_AMX, "bf16"), (INTEL, "fp32"), (OLD, "fp32"), (None, "fp32")]
)
def test_auto_is_bf16_where_the_cpu_has_instructions_for_it(cpu, text, precision):
    cpu(text)
    assert Hardware(precision="auto").resolved("h100").precision == precision
    assert Hardware(precision="fp32").resolved("h100").precision == "fp32", "what is written out stays"


@pytest.mark.parametrize(("gpu", "precision"), [("h100", "bf16"), ("t4", "fp32")])
def test_auto_on_a_gpu_goes_by_its_data_sheet(cpu, gpu, precision):
    cpu(OLD)
    assert Hardware(device="cuda", precision="auto").resolved(gpu).precision == precision


def test_auto_is_settled_when_the_study_is_read(cpu, tmp_path):
    """Settings of a run, and so its hash, its checkpoints and its record, hold what is computed in."""
    overlay = tmp_path / "auto.yaml"
    overlay.write_text("hardware: {precision: auto}\n")
    cpu(AMD)
    study = load_study("config/mini.yaml", overlay)
    assert run_settings(study, study.cells()[0])["hardware"]["precision"] == "bf16"
    assert evaluation_settings(study, "qa")["hardware"]["precision"] == "bf16"
