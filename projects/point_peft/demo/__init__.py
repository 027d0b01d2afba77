"""A small local web page to try a model on: ``point-peft demo``. See ``docs/demo.md``."""
