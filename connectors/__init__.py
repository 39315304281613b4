"""The connectors' room: venue feeds to topics, and a simulated exchange to feed them."""
