"""Checks of printed and of our own scores by arithmetic: whether they can belong together, and to which test set.

`folder` reads anybody's tables, `study` makes tables of our own results, `checks` and the checks that it calls look at
both, `show` puts findings into words. No model and no data are needed: integers and fractions, so that nothing is lost
to rounding of our own.
"""
