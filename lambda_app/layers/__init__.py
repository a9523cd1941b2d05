"""The speed, batch and serving layers: rows and their aggregates, stored together and recomputed."""
