"""Small models of the three families, with random weights: the Hub's own classes with smaller numbers."""

import math

import torch

from tunegrid.models.pretrain.settings import MIN_POSITIONS

# The bias of a head that looks in one direction against tokens in the other.
FAR = -6.0
# Of the heads that BART starts with, see `_start_as_look_up`: how many tokens away they look (a value is three tokens
# from its name in most of the world's sentences), and how sharply they look nearby and match.
DISTANCE, SHARPNESS, MATCH = 3.0, 2.5, 1.5


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
    first = query.weight.shape[0] // heads * (heads // 2)
    with torch.no_grad():
        query.weight[first:] = scale * key.weight[first:]


def _prefer_near(model, slope: float) -> None:
    """Start a quarter of the encoder's heads with a preference for the tokens just before, a quarter for those after.

    A fact is looked up in two steps: a value has to know the name beside it, then names are matched. From a random
    start neither step pays without the other, and small models stay on that plateau; heads that look nearby give the
    first. T5's relative position bias has half of its buckets for each direction, nearest first.
    """
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
        _start_as_look_up(model.model, source)
    return model


def _start_as_look_up(model, source) -> None:
    """Start BART's heads so that a fact can be looked up: a value knows the name before it, and names are matched.

    A quarter of the dimensions holds positions, a quarter what heads have gathered, half of them tokens. In the
    encoder's first layer half of the heads look nearby, and the first of them writes down what it sees. In its last
    layer the other half compares what was written, and copies tokens where it agrees; so do heads of the decoder's
    last layer, whose comparison is random. All of it is trained like the other weights. T5 learns to look up from a
    preference for near tokens (`_prefer_near`); BART did not from sine waves.
    """
    width, quarter = source.d_model // source.heads, source.d_model // 4
    size, half = min(width, quarter) // 2 * 2, source.d_model // 2
    rates = torch.logspace(math.log10(2.5), math.log10(0.3), size // 2)  # radians per token
    encoder, decoder = model.encoder.layers, model.decoder.layers
    with torch.no_grad():
        model.shared.weight[:, :half] *= 0.25
        for stack in (model.encoder, model.decoder):
            _start_as_waves(stack.embed_positions.weight, rates, source.init_std)
        _look_nearby(encoder[0].self_attn, source.heads, rates)
        _write(encoder[0].self_attn, size, half, quarter)
        for number, head in enumerate(range(source.heads // 2, source.heads)):
            _match(encoder[-1].self_attn, head * width, size, quarter)
            copied = slice(half + number * width, min(half + (number + 1) * width, source.d_model))
            for attention in (encoder[-1].self_attn, decoder[-1].encoder_attn):
                _copy(attention, head * width, copied)


def _look_nearby(attention, heads: int, rates) -> None:
    """Let half of the heads look `DISTANCE` tokens back or ahead, in turns, by turning the waves of positions."""
    width, size = attention.embed_dim // heads, 2 * len(rates)
    for head in range(heads // 2):
        rows = slice(head * width, head * width + size)
        query, key = attention.q_proj.weight, attention.k_proj.weight
        query[rows], key[rows] = 0.0, 0.0
        query[rows, :size] = SHARPNESS * _turned(rates, DISTANCE if head % 2 == 0 else -DISTANCE)
        key[rows, :size] = _turned(rates, 0.0)


def _write(attention, size: int, half: int, place: int) -> None:
    """Let the first head read tokens, which are in the upper half of the dimensions, and write to those at `place`."""
    attention.v_proj.weight[:size] *= 2.0
    attention.v_proj.weight[:size, :half] = 0.0
    attention.out_proj.weight[:, :size] = 0.0
    attention.out_proj.weight[place : place + size, :size] = torch.eye(size)


def _match(attention, first: int, size: int, place: int) -> None:
    """Let the head of the rows from `first` compare what was written to the dimensions at `place`."""
    rows = slice(first, first + size)
    attention.k_proj.weight[rows] = 0.0
    attention.k_proj.weight[rows, place : place + size] = torch.eye(size)
    attention.q_proj.weight[rows] = MATCH * attention.k_proj.weight[rows]


def _copy(attention, first: int, dimensions: slice) -> None:
    """Let the head of the rows from `first` copy these dimensions of what it looks at."""
    count = dimensions.stop - dimensions.start
    rows = slice(first, first + count)
    attention.v_proj.weight[rows], attention.out_proj.weight[:, rows] = 0.0, 0.0
    attention.v_proj.weight[rows, dimensions] = torch.eye(count)
    attention.out_proj.weight[dimensions, rows] = torch.eye(count)


def _start_as_waves(positions, rates, scale: float) -> None:
    """Start learned positions as sine waves of `rates` radians per token in the first dimensions, else as zeros."""
    angles, end = torch.arange(len(positions)).unsqueeze(1) * rates, 2 * len(rates)
    positions.zero_()
    positions[:, 0:end:2], positions[:, 1:end:2] = scale * angles.sin(), scale * angles.cos()


def _turned(rates, distance: float):
    """The matrix that turns each wave (sine, cosine) back by `distance` tokens."""
    # sin(x - d) = sin x cos d - cos x sin d, cos(x - d) = cos x cos d + sin x sin d
    sine, cosine = (rates * distance).sin(), (rates * distance).cos()
    return torch.block_diag(
        *(torch.tensor([[c, -s], [s, c]]) for s, c in zip(sine.tolist(), cosine.tolist(), strict=True))
    )
