"""RAM's bytes, DRAM's timing, and what cores wait for in turn."""
