"""What makes training fast on a CPU. Without this package everything still works, slower."""
