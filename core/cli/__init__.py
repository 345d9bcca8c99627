"""The command line: one module per group of commands, all of them thin; ``core.cli.app`` puts them together."""
