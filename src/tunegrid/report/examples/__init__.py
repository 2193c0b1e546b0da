"""The page of examples: every test row with every answer to it, to filter and to sort, offline."""
