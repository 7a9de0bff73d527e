"""An example of a package that extends xvlm-eval: a model family, two tasks and weights."""
