"""Using a finished study: answers of the recommended run, and that run as a folder that needs no TuneGrid."""
