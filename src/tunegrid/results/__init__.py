"""From result files to records, statistics and tidy tables; the audit; the numbers of the paper."""
