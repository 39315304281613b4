"""One file per tool. Copy `_template.py`; nothing else has to change."""
