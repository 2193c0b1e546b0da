"""TuneGrid: which pretrained encoder-decoder, tuned by which method, for which task, at what cost."""

__version__ = "0.1.0"
