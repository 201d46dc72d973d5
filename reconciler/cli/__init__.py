"""The command line: options in, stages called, output and an exit code out.

The only package that imports click, writes to the terminal or handles signals. It decides nothing about bots.
`commands` names the commands. The module of each, imported when it is run, declares its options.
"""

__all__ = ["commands"]
