"""How sure scores are: intervals, tests, the variance between seeds; Pareto fronts; the recommendation and its cost."""
