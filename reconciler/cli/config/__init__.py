"""Options from the environment and from reconciler.toml: click's options in, their values and places out.

keys: the key and the variable of each option. command: the commands that look for a file. find: where it is;
read, values, places: what it says; envfile: `--env-file`; show: `reconciler config`. A run without a file
imports keys, command and find only.
"""

__all__ = ["command", "keys", "show"]
