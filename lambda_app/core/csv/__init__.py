"""CSV text taken apart into transactions."""
