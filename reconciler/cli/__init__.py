"""The command line: options in, stages called, output and an exit code out.

The only package that imports click, writes to the terminal or handles signals. It decides nothing about bots.
`commands` has the commands; each imports what it needs, so that `--help` stays fast.
"""

__all__ = ["commands"]
