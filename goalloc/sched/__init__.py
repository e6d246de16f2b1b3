"""Goroutines: Ps and their queues, parking, channels, semaphores, timers."""
