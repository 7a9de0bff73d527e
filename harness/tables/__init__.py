"""Results beside published numbers."""
