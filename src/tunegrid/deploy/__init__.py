"""What is done with a trained model: answers of the recommended run, and that run as a folder with a model card."""
