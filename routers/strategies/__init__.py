"""One strategy per file: a module in this folder with a `STRATEGY` is found by its name.

Modules that start with `_` are skipped; `_template.py` shows how to add one.
"""
