"""Where the stream goes on, what is read of it, and how fast it is sent."""
