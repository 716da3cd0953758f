"""What is attacked, one module a reader."""
