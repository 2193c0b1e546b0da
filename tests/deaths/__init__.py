"""Kills studies at random moments, restarts them as a user would, and compares their end with an undisturbed one's."""
