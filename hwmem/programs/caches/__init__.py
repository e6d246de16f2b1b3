"""Programs about caches: latency, bandwidth, blocking."""
