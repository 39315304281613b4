"""The pages: typed results in, HTML out. Pure."""
