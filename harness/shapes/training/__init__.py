"""The training recipe of xvlm-shapes; the only part of `shapes` that needs torch."""
