"""The parts of `arena bench`: a stub model, a raw relay, a load generator, a process meter."""
