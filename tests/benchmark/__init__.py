"""The published figures, a script each, by `./platform bench [NAME...]`. Ratios of one run tell: machines are noisy."""
