"""The machine at the prompt: Machine, Process, and what they check before a kernel runs."""
