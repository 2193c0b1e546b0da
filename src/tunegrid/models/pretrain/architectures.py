"""Small models of the three families, with random weights: the Hub's own classes with smaller numbers."""


def build_model(source, family: str, tokeniser):
    """A `T5ForConditionalGeneration` or `BartForConditionalGeneration` of the sizes in `source` (a PretrainSource)."""
    return _build_bart(source, tokeniser) if family == "bart" else _build_t5(source, family, tokeniser)


def _build_t5(source, family: str, tokeniser):
    from transformers import T5Config, T5ForConditionalGeneration

    flan = family == "flan-t5"
    config = T5Config(
        vocab_size=len(tokeniser),
        d_model=source.d_model,
        d_kv=source.d_model // source.heads,
        d_ff=source.d_ff,
        num_layers=source.layers,
        num_decoder_layers=source.decoder_layers,
        num_heads=source.heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu" if flan else "relu",
        tie_word_embeddings=not flan,
        pad_token_id=tokeniser.pad_token_id,
        eos_token_id=tokeniser.eos_token_id,
        decoder_start_token_id=tokeniser.pad_token_id,
    )
    model = T5ForConditionalGeneration(config)
    if source.locality:
        _prefer_near(model, source.locality)
    return model


def _prefer_near(model, slope: float) -> None:
    """Start half of the encoder's heads with a preference for near tokens, itself excepted.

    A fact is looked up in two steps: a value has to know the name beside it, then names are matched. From a random
    start neither step pays without the other, and small models stay on that plateau; heads that look nearby give the
    first. T5's relative position bias has half of its buckets for each direction, nearest first.
    """
    import torch

    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight  # buckets x heads
    buckets, heads = bias.shape
    distance = torch.arange(buckets) % (buckets // 2)
    preference = torch.where(distance == 0, -1.0, -slope * (distance - 1.0))
    with torch.no_grad():
        bias[:, : heads // 2] = preference.unsqueeze(1)


def _build_bart(source, tokeniser):
    from transformers import BartConfig, BartForConditionalGeneration

    from tunegrid.models.pretrain.settings import MIN_POSITIONS

    config = BartConfig(
        vocab_size=len(tokeniser),
        max_position_embeddings=max(MIN_POSITIONS, source.max_length),
        d_model=source.d_model,
        encoder_layers=source.layers,
        decoder_layers=source.decoder_layers,
        encoder_attention_heads=source.heads,
        decoder_attention_heads=source.heads,
        encoder_ffn_dim=source.d_ff,
        decoder_ffn_dim=source.d_ff,
        dropout=0.0,
        init_std=source.init_std,  # BART's own 0.02 is made for widths of 768 and more
        pad_token_id=tokeniser.pad_token_id,
        bos_token_id=tokeniser.bos_token_id,
        eos_token_id=tokeniser.eos_token_id,
        decoder_start_token_id=tokeniser.eos_token_id,
        forced_eos_token_id=tokeniser.eos_token_id,
    )
    return BartForConditionalGeneration(config)
