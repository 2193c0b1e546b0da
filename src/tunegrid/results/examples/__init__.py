"""The test rows of a study with every answer to them: what the page of examples shows, and the slices of scores."""
