"""Intervals, tests, and the recommendation."""
