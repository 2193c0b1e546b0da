"""The study's metrics as `evaluate.Metric` classes: they work offline, and in anybody's `evaluate.combine`.

All values are fractions, from 0 to 1.
"""
