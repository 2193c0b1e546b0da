"""Downloads from the Hugging Face Hub, and what its errors mean for a person."""
