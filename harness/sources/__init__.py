"""Where data comes from: `folder` (the user's files, and what is missing of them), `refer` (RefCOCO+ annotations)."""
