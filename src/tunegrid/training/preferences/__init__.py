"""Learning from preferences: the objectives, answers that a model samples, and the loop of PPO."""
