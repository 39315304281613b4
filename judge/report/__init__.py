"""The report of a run: from its exported records alone to a page, tables and figures."""
