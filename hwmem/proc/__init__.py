"""Linux's memory files in /proc, read from the record without an access: texts in the kernel's formats, and figures."""
