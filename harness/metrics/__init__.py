"""Official metrics as pure functions of NumPy and the standard library: `grounding` (RefCOCO+)."""
