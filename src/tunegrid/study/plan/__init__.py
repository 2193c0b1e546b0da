"""What a study will cost, before anything of it runs: operations, time, memory and disk. Pure arithmetic, no torch.

`docs/planning.md` has the formulas, what they assume, and how far they are from measurements.
"""
