"""What the command-line tools share: flags, errors as sentences, and exit codes."""
