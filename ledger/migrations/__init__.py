"""How the schema of the books came to be, one revision after the other (alembic)."""
