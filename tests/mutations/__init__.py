"""Mutates what users give the product, by seed, and looks for tracebacks and for nonsense that is accepted.

`python -m tests.mutations --help` says how it is run; judgements.yaml says of each accepted mutation why it may be.
"""
