"""What is wrong on a host, why, and the command that mends it: facts in, findings out.

A check is a function of the table in `checks.py`. What a finding breaks is said once, by the names of things in
`things.py`, so that one cause hides its consequences.
"""
