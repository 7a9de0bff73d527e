"""The scenes of the embedded benchmark and the texts about them."""
