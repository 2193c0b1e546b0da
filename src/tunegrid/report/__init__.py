"""The report: a study's tables laid out, drawn and written as LaTeX, HTML and PDF."""
