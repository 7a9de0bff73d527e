"""Two results beside one another: is this number still the number, and what changed?"""
