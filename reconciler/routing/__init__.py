"""Who answers a message: an instance's bots and settings and a message in, the server's choice out. Pure.

values      what goes in and what comes out
choice      the server's procedure, and whether one trigger matches
explanation why each bot answers, or does not
difference  what a change does to who answers; witnesses makes the texts that show it
testing     the tests of manifests, against who answers
sides       an instance as manifests declare it, and as the server has it
advanced    the language of advanced triggers
javascript  regular expressions, as JavaScript tries them
jsregex     what a regular expression says of itself, and of what it matches; jstree reads its tree
"""

__all__ = [
    "advanced",
    "choice",
    "difference",
    "explanation",
    "jsregex",
    "sides",
    "testing",
    "values",
    "witnesses",
]
