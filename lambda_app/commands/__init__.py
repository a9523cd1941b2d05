"""One module a subcommand: options in, a call, a print."""
