"""Small models of the three families, with random weights: the Hub's own classes with smaller numbers."""

# The bias of a head that looks in one direction against tokens in the other.
FAR = -6.0


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
        attention = model.encoder.block[-1].layer[0].SelfAttention
        _match_like(attention.q, attention.k, source.heads, 0.3)
    return model


def _match_like(query, key, heads: int, scale: float) -> None:
    """Start the other half of the heads of a layer so that a token looks at tokens like itself.

    This is the second step of looking up a fact, see `_prefer_near`: the name in a question finds the name in a story.
    """
    import torch

    first = query.weight.shape[0] // heads * (heads // 2)
    with torch.no_grad():
        query.weight[first:] = scale * key.weight[first:]


def _prefer_near(model, slope: float) -> None:
    """Start a quarter of the encoder's heads with a preference for the tokens just before, a quarter for those after.

    A fact is looked up in two steps: a value has to know the name beside it, then names are matched. From a random
    start neither step pays without the other, and small models stay on that plateau; heads that look nearby give the
    first. T5's relative position bias has half of its buckets for each direction, nearest first.
    """
    import torch

    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight  # buckets x heads
    buckets, heads = bias.shape
    distance = torch.arange(buckets // 2)
    near = torch.where(distance == 0, -1.0, -slope * (distance - 1.0))
    far = torch.full_like(near, FAR)
    with torch.no_grad():
        for head in range(heads // 2):
            before = head % 2 == 0
            bias[:, head] = torch.cat([near if before else far, far if before else near])


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
    model = BartForConditionalGeneration(config)
    if source.locality:
        for stack in (model.model.encoder, model.model.decoder):
            _start_as_waves(stack.embed_positions.weight, source.init_std)
        attention = model.model.encoder.layers[-1].self_attn
        _match_like(attention.q_proj, attention.k_proj, source.heads, 2.0)
    return model


def _start_as_waves(positions, scale: float) -> None:
    """Start learned positions as the sine waves of Vaswani et al. (2017), from which distances are easily learnt."""
    import torch

    count, width = positions.shape
    frequencies = 10_000 ** -(torch.arange(0, width, 2) / width)
    angles = torch.arange(count).unsqueeze(1) * frequencies
    with torch.no_grad():
        positions[:, 0::2], positions[:, 1::2] = scale * angles.sin(), scale * angles.cos()
