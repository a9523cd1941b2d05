"""Tables of cases, see README.md, and what reads them."""
