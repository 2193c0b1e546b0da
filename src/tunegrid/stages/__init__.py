"""One module for each rule of the workflow, with its name."""
