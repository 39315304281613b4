"""The report of a run: a page, tables and figures, from its exported records alone."""
