"""Whether the platform is healthy and what it stored is exact, judged from facts."""
