"""RAM's bytes and DRAM's timing."""
