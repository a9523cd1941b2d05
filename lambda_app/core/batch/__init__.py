"""Which jobs the batch has, and where their files lie."""
