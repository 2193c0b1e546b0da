"""Encoding in parts: the same states as for the whole batch, in parts that are small, and nothing left behind."""

import pytest

from tests.support.checkpoints import FAMILIES
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES

LENGTHS = [40, 31, 31, 8, 7, 2, 1]
KINDS = {"full": {}, "lora": {"r": 2, "alpha": 1}, "adapters": {"reduction_factor": 4}}


def batch():
    import torch

    ids = torch.randint(10, 60, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return ids.masked_fill(~mask, 0), mask.long()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_of_the_whole_batch(checkpoints, monkeypatch, family, kind):
    import torch

    from tunegrid.models import encoder

    monkeypatch.setattr(encoder, "TOKENS", 45)
    method = METHODS[kind](METHODS[kind].Settings(kind=kind, **KINDS[kind]), MODEL_FAMILIES[family])
    model = method.inject(method.load_base(checkpoints / family)).eval()
    ids, mask = batch()
    with torch.inference_mode():
        whole = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        with encoder.encoding_in_parts(model):
            parts = model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True).last_hidden_state
        again = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.bool()
    assert parts.shape == whole.shape
    torch.testing.assert_close(parts[real], whole[real])
    assert torch.equal(again, whole), "the encoder is as it was"


def test_parts_hold_as_many_tokens_as_fit_and_each_row_once(monkeypatch):
    import torch

    from tunegrid.models import encoder

    seen = []

    def forward(input_ids, attention_mask):
        seen.append(tuple(input_ids.shape))
        return dict_of(last_hidden_state=input_ids[..., None].float())

    class dict_of(dict):
        def __getitem__(self, place):
            return list(self.values())[place]

    monkeypatch.setattr(encoder, "TOKENS", 64)
    ids, mask = batch()
    output = encoder._in_parts(forward)(input_ids=ids, attention_mask=mask)
    # 31 + 31 fit, 3 x 31 do not; a source that is longer than what fits is alone.
    assert seen == [(1, 40), (2, 31), (4, 8)]
    assert torch.equal(output[0][..., 0], ids.float())


def test_the_encoder_is_as_it_was_after_an_error(checkpoints):
    from tunegrid.models.encoder import encoding_in_parts

    method = METHODS["full"](METHODS["full"].Settings(kind="full"), MODEL_FAMILIES["t5"])
    model = method.load_base(checkpoints / "t5")
    with pytest.raises(KeyError), encoding_in_parts(model):
        raise KeyError("forward" in vars(model.get_encoder()) or "nothing was altered")
    assert "forward" not in vars(model.get_encoder())
