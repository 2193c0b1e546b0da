"""Small models that the pipeline pretrains itself."""
