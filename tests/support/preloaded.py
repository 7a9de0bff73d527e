"""What a run imports when it needs it, imported at once: for processes that are forked to run."""

import pycocoevalcap.cider.cider  # noqa: F401

import harness.running.launch  # noqa: F401
