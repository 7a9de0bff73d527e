"""Whether a run can go here, and what to do if not."""
