"""What is asked for: the study file, cells, paths, lock file, plan, status."""
