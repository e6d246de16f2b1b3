"""The heap profile: which allocations are sampled, and what is kept of them."""
