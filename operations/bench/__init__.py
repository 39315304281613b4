"""What `arena bench` measures with: a stub model, a raw relay, a driver and a process meter."""
