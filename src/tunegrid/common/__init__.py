"""What knows nothing of the rest: errors, files, YAML, settings, words, the Hub."""
