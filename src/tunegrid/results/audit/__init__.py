"""Checks of numbers by arithmetic alone: can these scores belong together, and to which test set?

`folder` reads anybody's tables, `checks` audits them, `study` audits our own results, `show` puts findings into words.
It needs no model and no data: integers and fractions, so that nothing is lost to rounding of our own.
"""
