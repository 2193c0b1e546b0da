"""The numbers that the paper printed, and how far a study of the same cells agrees with them."""
