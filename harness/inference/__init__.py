"""How models are run: `loader` (samples grouped by image, decoded ahead), `device` (where, and how precisely)."""
