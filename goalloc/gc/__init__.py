"""The collector: cycles, marking, barriers, sweeping, finalizers. Go: mgc*.go, mwbbuf.go, mbarrier.go, mfinal.go."""
