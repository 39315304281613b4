"""The revisions of the schema of the books, for alembic."""
