"""The page: typed results of the read model in, HTML out. Pure."""
