"""Trading tools: the catalogue agents call, and the executor, single writer of every account."""
