"""The model stage: what is copied of a local model, and which models are refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.models.seal import check_base
from tunegrid.stages.fetch_model import fetch_model


def test_a_local_model_is_copied_with_safetensors_only_and_carded(tiny_study):
    Path("checkpoints/t5/pytorch_model.bin").write_bytes(b"a pickle")
    study = tiny_study()
    fetch_model(study, "t5", Path("out"))
    names = {file.name for file in Path("out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "card.json"} <= names
    assert "pytorch_model.bin" not in names
    card = json.loads(Path("out/card.json").read_text())
    assert (card["model"], card["family"]) == ("t5", "t5")
    assert card["source"] == "local folder checkpoints/t5"
    first = card["fingerprint"]
    weights = Path("checkpoints/t5/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    fetch_model(study, "t5", Path("out"))
    assert json.loads(Path("out/card.json").read_text())["fingerprint"] != first


def _pickle_only() -> None:
    Path("checkpoints/t5/model.safetensors").rename("checkpoints/t5/pytorch_model.bin")


def _other_family() -> None:
    Path("checkpoints/bart/config.json").replace("checkpoints/t5/config.json")


def _change_tensors(change) -> None:
    from safetensors.torch import load_file, save_file

    file = Path("checkpoints/t5/model.safetensors")
    save_file(
        {name: values.clone() for name, values in change(load_file(file)).items()}, file, metadata={"format": "pt"}
    )


def _compiled() -> None:
    _change_tensors(lambda tensors: {f"_orig_mod.{name}": values for name, values in tensors.items()})


def _diverged() -> None:
    _change_tensors(lambda tensors: {name: values * float("nan") for name, values in tensors.items()})


def _added_tokens() -> None:
    from tunegrid.data.tokens import load_tokenizer

    tokenizer = load_tokenizer(Path("checkpoints/t5"))
    tokenizer.add_tokens(["Zzyzx"])
    tokenizer.save_pretrained("checkpoints/t5")


def _own_code() -> None:
    Path("checkpoints/t5/own.py").write_text("import pathlib\npathlib.Path('was-run').touch()\nclass Slow: pass\n")
    file = Path("checkpoints/t5/tokenizer_config.json")
    own = {"auto_map": {"AutoTokenizer": ["own.Slow", None]}, "tokenizer_class": "Slow"}
    file.write_text(json.dumps(json.loads(file.read_text()) | own))


def _layers_without_end() -> None:
    file = Path("checkpoints/t5/config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_layers": 10**9}))


def _dangling() -> None:
    Path("checkpoints/t5/model.safetensors").unlink()
    Path("checkpoints/t5/model.safetensors").symlink_to("nowhere")


def _a_thousand_times_as_wide() -> None:
    file = Path("checkpoints/t5/config.json")
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"d_model": 16_000, "d_ff": 24_000, "d_kv": 8_000}))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: Path("checkpoints/t5/config.json").unlink(), r"checkpoints/t5: .*config\.json is missing"),
        (_pickle_only, r"checkpoints/t5: no safetensors weights.*safe_serialization"),
        (_other_family, r"models\.t5\.family: t5, but .*model_type 'bart'"),
        (lambda: Path("checkpoints/t5/config.json").write_text("{"), r"config\.json: not valid JSON"),
        (_compiled, r"models\.t5: local folder checkpoints/t5: the weights do not fit .*`_orig_mod\.`"),
        (_diverged, r"models\.t5: local folder checkpoints/t5: \d+ numbers of .* are NaN or infinite"),
        (_added_tokens, r"models\.t5: local folder checkpoints/t5: the tokenizer's token 'Zzyzx' has id"),
        (_own_code, r"checkpoints/t5: tokenizer_config\.json: auto_map names code of its own"),
        (_layers_without_end, r"config\.json says 1,000,000,002 layers, but the weights are 55 tensors"),
        (
            _a_thousand_times_as_wide,
            r"config\.json says a model of 11,009,952,128 parameters, but the weights have 13,088\.",
        ),
        (_dangling, r"checkpoints/t5: model\.safetensors is a link to a file that is not there"),
    ],
    ids=[
        "no config",
        "pickled weights",
        "another family",
        "a broken config",
        "a compiled model",
        "NaN",
        "added tokens",
        "code",
        "layers without end",
        "another size",
        "a dangling link",
    ],
)
def test_a_model_that_cannot_be_used_is_refused_and_nothing_is_written(tiny_study, spoil, says):
    study = tiny_study()
    spoil()
    with pytest.raises(TuneGridError, match=says):
        fetch_model(study, "t5", Path("out"))
    assert list(Path().glob("*out*")) == []


LEFT_OUT = [
    ("flan-t5", "tie_word_embeddings", r"lm_head\.weight and shared\.weight differ"),
    ("bart", "decoder_attention_heads", r"config\.json does not say decoder_attention_heads"),
]


@pytest.mark.parametrize(("model", "key", "says"), LEFT_OUT)
def test_a_config_json_that_leaves_out_what_the_weights_do_not_show_is_refused(tiny_study, model, key, says):
    study, file = tiny_study(), Path(f"checkpoints/{model}/config.json")
    config = json.loads(file.read_text())
    del config[key]
    file.write_text(json.dumps(config))
    with pytest.raises(TuneGridError, match=rf"models\.{model}: local folder checkpoints/{model}: {says}"):
        fetch_model(study, model, Path("out"))
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["fetch-model", "check"])
def test_code_that_a_folder_brings_is_not_run_and_nobody_is_asked(tiny, command):
    """The libraries ask on standard input whether to run it, where the answer would be what is meant for another."""
    _own_code()
    own = {"auto_map": {"AutoConfig": "own.Config", "AutoModelForSeq2SeqLM": "own.Model"}, "model_type": "own"}
    file = Path("checkpoints/t5/config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | own))
    arguments = [command, str(tiny), *(["--model", "t5"] if command == "fetch-model" else [])]
    with subprocess.Popen(
        [sys.executable, "-m", "tunegrid", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        # The pipe stays open and empty: whoever read it would wait for ever.
        output = process.stdout.read()
        assert process.wait(timeout=60) == 1
    assert "names code of its own" in output or "model_type 'own'" in output
    assert not Path("was-run").exists()


def test_the_decoders_start_is_written_into_the_copy_where_only_the_generation_settings_have_it(tiny_study):
    file = Path("checkpoints/t5/config.json")
    config = json.loads(file.read_text())
    start = config.pop("decoder_start_token_id")
    file.write_text(json.dumps(config))
    fetch_model(tiny_study(), "t5", Path("out"))
    assert json.loads(Path("out/config.json").read_text())["decoder_start_token_id"] == start
    assert "decoder_start_token_id" not in json.loads(file.read_text())


def test_a_sentencepiece_model_alone_is_converted_in_the_copy_and_sealed(tiny_study):
    import sentencepiece

    folder = Path("checkpoints/t5")
    texts = [json.loads(line)["text"] for line in Path("rows/sentiment-train.jsonl").read_text().splitlines()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(folder / "spiece"), vocab_size=90, hard_vocab_limit=False, pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    for file in ("tokenizer.json", "special_tokens_map.json"):
        (folder / file).unlink()
    (folder / "tokenizer_config.json").write_text('{"extra_ids": 0}')
    fetch_model(tiny_study(), "t5", Path("out"))
    assert not (folder / "tokenizer.json").exists()
    card = json.loads(Path("out/card.json").read_text())
    assert {"spiece.model", "tokenizer.json"} <= card["files"].keys()
    check_base(Path("out"))
