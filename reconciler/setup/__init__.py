"""Getting started: `init` scaffolds a repository, `doctor` checks what is around the bots."""

__all__ = ["doctor", "gh", "init", "sample"]
