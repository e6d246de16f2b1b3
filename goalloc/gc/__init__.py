"""The collector: a cycle's pace, who marks, how much of the processor it may take, what goes back to the kernel."""
